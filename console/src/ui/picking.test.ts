import { describe, expect, test } from 'vitest'
import { type Choice, type ChoiceGroup, meant, meantUnseen, shownGroups } from './picking'

const choice = (label: string, alias?: string): Choice => ({
  key: label,
  label,
  ...(alias ? { alias } : {}),
  pick: () => undefined,
})
const group = (labels: string[], more: Partial<ChoiceGroup> = {}): ChoiceGroup => ({
  title: 'Group',
  choices: labels.map((label) => choice(label)),
  ...more,
})
const label = (found: Choice | undefined) => found?.label

describe('what Enter means', () => {
  test('the first choice, and the one that is named in full before it', () => {
    expect(label(meant([group(['Billing Archive', 'Billing'])], 'bill'))).toBe('Billing Archive')
    expect(label(meant([group(['Billing Archive', 'Billing'])], ' billing '))).toBe('Billing')
    expect(label(meant([{ title: '', choices: [choice('Ada', 'ada'), choice('Dora', 'd.meyer')] }], 'D.Meyer'))).toBe(
      'Dora',
    )
  })

  test('nothing of an answer to something else, and nothing that stands behind it', () => {
    expect(meant([group(['Billing'], { stale: true })], 'bill')).toBeUndefined()
    expect(meant([group([], { stale: true }), group(['Create project'])], 'create')).toBeUndefined()
    expect(label(meant([group(['Alerts']), group(['Billing'], { stale: true })], 'aler'))).toBe('Alerts')
  })

  test('what stays whatever is typed is meant by nothing that is typed', () => {
    const groups = [group([]), group(['All projects'], { fixed: true })]
    expect(meant(groups, 'nobody')).toBeUndefined()
    expect(label(meant(groups, ''))).toBe('All projects')
  })
})

describe('what an Enter meant that came before the list', () => {
  test('the one that is named in full, or the only one', () => {
    expect(label(meantUnseen([group(['Dora Adams', 'Dora'])], 'dora'))).toBe('Dora')
    expect(label(meantUnseen([group(['Warehouse']), group(['All projects'], { fixed: true })], 'ware'))).toBe(
      'Warehouse',
    )
  })

  test('nothing where it can be mistaken', () => {
    expect(meantUnseen([group(['Dora Adams', 'Dora Meyer'])], 'dora')).toBeUndefined()
    expect(meantUnseen([group(['Billing']), group(['Billing'])], 'billing')).toBeUndefined()
    expect(meantUnseen([group([]), group(['All projects'], { fixed: true })], 'nobody')).toBeUndefined()
  })
})

test('of a former answer only what fits is shown', () => {
  const shown = shownGroups([group(['Billing', 'Warehouse'], { stale: true }), group(['Profile'])], 'ware')
  expect(shown.map(({ choices }) => choices.map((each) => each.label))).toEqual([['Warehouse'], ['Profile']])
})
