import type {
  AlertCondition,
  AlertRuleInput,
  AlertRuleRowFragment,
  AlertSeverity,
  Severity,
} from '@/api/generated/alerts'
import { rules, sentences, alerts as words } from '@/strings/alerts'
import { logs } from '@/strings/logs'
import type { PlaceSearch } from '@/util/search'
import { ASKS, everyWords, figure, shownThreshold, spanWords, wireThreshold } from './figures'

/** A rule while it is written: as the fields of the form hold it. */
export type RuleDraft = {
  name: string
  condition: AlertCondition
  severity: AlertSeverity
  enabled: boolean
  place: PlaceSearch
  /** Only where no environment is named. */
  criticalOnly: boolean
  threshold: string
  percentile: number
  windowS: number
  pattern: string
  levels: Severity[]
  forS: number
  remindS: number | null
  channels: string[]
}

const USUAL_PERCENTILE = 0.95
const USUAL_WINDOW_S = 300
export const PERCENTILES = [0.5, 0.9, 0.95, 0.99, 0.999] as const
export const WINDOWS_S = [60, 300, 900, 1_800, 3_600, 21_600, 86_400] as const
export const FOR_S = [0, 60, 120, 300, 600, 900, 1_800, 3_600] as const
export const REMIND_S = [900, 1_800, 3_600, 14_400, 43_200, 86_400] as const

export function newDraft(): RuleDraft {
  return {
    name: '',
    condition: 'RUNTIME_OFFLINE',
    severity: 'WARNING',
    enabled: true,
    place: {},
    criticalOnly: false,
    threshold: '',
    percentile: USUAL_PERCENTILE,
    windowS: USUAL_WINDOW_S,
    pattern: '',
    levels: [],
    forS: 0,
    remindS: null,
    channels: [],
  }
}

type Rule = Omit<
  AlertRuleRowFragment,
  'trouble' | 'lastJudgedAt' | 'firing' | 'builtIn' | 'createdAt' | 'createdBy' | 'editable'
>

export function draftOf(rule: Rule): RuleDraft {
  return {
    name: rule.name,
    condition: rule.condition,
    severity: rule.severity,
    enabled: rule.enabled,
    place: {
      project: rule.project?.handle,
      integration: rule.integration?.handle,
      environment: rule.environment?.handle,
    },
    criticalOnly: rule.criticalOnly,
    threshold: shownThreshold(rule.condition, rule.threshold),
    percentile: rule.percentile ?? USUAL_PERCENTILE,
    windowS: rule.windowS,
    pattern: rule.pattern ?? '',
    levels: rule.levels ?? [],
    forS: rule.forS,
    remindS: rule.remindS,
    channels: rule.channels.map(({ id }) => id),
  }
}

/** Another condition begins with what is usual for it. */
export function withCondition(draft: RuleDraft, condition: AlertCondition): RuleDraft {
  return { ...draft, condition, threshold: shownThreshold(condition, null) }
}

/** As the API takes it: only what its condition has a use for. */
export function inputOf(draft: RuleDraft, id: string | null): AlertRuleInput {
  const asks = ASKS[draft.condition]
  return {
    id,
    name: draft.name.trim(),
    condition: draft.condition,
    severity: draft.severity,
    enabled: draft.enabled,
    project: draft.place.project ?? null,
    integration: draft.place.integration ?? null,
    environment: draft.place.environment ?? null,
    criticalOnly: draft.criticalOnly && !draft.place.environment,
    threshold: wireThreshold(draft.condition, draft.threshold) ?? null,
    percentile: asks.percentile ? draft.percentile : null,
    windowS: asks.window ? draft.windowS : null,
    pattern: (asks.lines && draft.pattern) || null,
    levels: asks.lines && draft.levels.length > 0 ? draft.levels : null,
    forS: draft.forS,
    remindS: draft.remindS,
    channels: draft.channels,
  }
}

export type Faults = { name?: string; threshold?: string; pattern?: string }

/** What is still missing, by field; what only the control plane can judge it says itself. */
export function faultsOf(draft: RuleDraft): Faults {
  const { threshold, lines } = ASKS[draft.condition]
  const faults: Faults = {}
  if (!draft.name.trim()) faults.name = rules.form.needName
  if (threshold && wireThreshold(draft.condition, draft.threshold) === undefined)
    faults.threshold = rules.form.needNumber(threshold.min, threshold.max)
  if (lines && !draft.pattern && draft.levels.length === 0) faults.pattern = rules.form.needLines
  return faults
}

/** The names that the handles and ids of a draft stand for. */
export type Names = {
  project?: string | undefined
  integration?: string | undefined
  environment?: string | undefined
  criticalOnly?: boolean
  channels: string[]
}

export function whereWords({ project, integration, environment, criticalOnly }: Omit<Names, 'channels'>): string {
  const owner = [project, integration].filter(Boolean).join(' / ')
  return (
    [owner && sentences.of(owner), environment ? sentences.in(environment) : criticalOnly && sentences.inCritical]
      .filter(Boolean)
      .join(' ') || sentences.anywhere
  )
}

function conditionWords(draft: RuleDraft, names: Names): string {
  const where = whereWords({ ...names, criticalOnly: draft.criticalOnly })
  const threshold = wireThreshold(draft.condition, draft.threshold)
  const limit = threshold === undefined ? sentences.unfinished : figure(draft.condition, threshold)
  const over = spanWords(draft.windowS)
  const it = names.integration ? where.replace(sentences.of(''), '') : sentences.each(where)
  switch (draft.condition) {
    case 'RUNTIME_OFFLINE':
      return sentences.RUNTIME_OFFLINE(where)
    case 'REPLICAS_BELOW':
      return sentences.REPLICAS_BELOW(it, limit)
    case 'ERROR_RATE':
      return sentences.ERROR_RATE(it, limit, over)
    case 'LATENCY':
      return sentences.LATENCY(it, limit, over, rules.percentile(draft.percentile))
    case 'LOG_PATTERN': {
      const levels = draft.levels.map((level) => logs.levels[level])
      const lines = [
        levels.length > 0 && sentences.ofLevel(sentences.or(levels)),
        draft.pattern && sentences.matching(draft.pattern),
      ]
      return sentences.LOG_PATTERN(it, limit, over, lines.filter(Boolean).join(''))
    }
    case 'NO_TRAFFIC':
      return sentences.NO_TRAFFIC(it, over)
    case 'EXPIRING':
      return sentences.EXPIRING(where, limit, where === sentences.anywhere)
    case 'TELEMETRY_DROPPED':
      return sentences.TELEMETRY_DROPPED(where, over)
  }
}

/** What a rule says, as one reads it aloud. */
export function inWords(draft: RuleDraft, names: Names): string {
  const severity = words.severities[draft.severity]
  const condition = conditionWords(draft, names)
  const fires =
    draft.forS > 0
      ? sentences.firesAfter(severity, condition, spanWords(draft.forS))
      : sentences.fires(severity, condition)
  const channels = sentences.and(names.channels)
  const tells = !channels
    ? sentences.nobody
    : draft.remindS
      ? sentences.tellsAgain(channels, everyWords(draft.remindS))
      : sentences.tells(channels)
  return [fires, draft.enabled ? tells : sentences.off].join(' ')
}

/** What a rule that is stored says. */
export function ruleInWords(rule: Rule): string {
  return inWords(draftOf(rule), {
    project: rule.project?.displayName,
    integration: rule.integration?.displayName,
    environment: rule.environment?.displayName,
    channels: rule.channels.map(({ name }) => name),
  })
}
