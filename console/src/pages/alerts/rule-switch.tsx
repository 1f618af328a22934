import { useState } from 'react'
import { type AlertRuleRowFragment, SaveAlertRuleDocument } from '@/api/generated/alerts'
import { asProblem } from '@/api/problem'
import { graphql } from '@/api/request'
import { rules as words } from '@/strings/alerts'
import { notify } from '@/ui/notices'
import { Switch } from '@/ui/switch'
import { lazily } from '@/util/lazily'
import { useAction } from '@/util/use-action'
import { draftOf, inputOf } from './rule-draft'
import { useAlertsChanged } from './use-alerts-changed'

const ConfirmDialog = lazily(async () => (await import('@/ui/confirm')).ConfirmDialog)

/** Switches a rule on and off; where alerts of it fire, it says first that they end without a word. */
export function RuleSwitch({ rule }: { rule: AlertRuleRowFragment }) {
  const { id, name, enabled, firing, editable } = rule
  const changed = useAlertsChanged()
  const [asking, setAsking] = useState(false)
  const { run, pending, problem } = useAction(async (next: boolean) => {
    try {
      await graphql(SaveAlertRuleDocument, { input: inputOf({ ...draftOf(rule), enabled: next }, id) })
    } catch (error) {
      // Without a dialog nothing else would say so.
      if (!asking) notify(asProblem(error).message, 'bad')
      throw error
    }
    changed()
    setAsking(false)
    notify(next ? words.switchedOn(name) : words.switchedOff(name))
  })
  return (
    <>
      <Switch
        label={words.enabledLabel(name)}
        on={enabled}
        tip={enabled ? words.switchOff : words.switchOn}
        blocked={editable ? undefined : words.may}
        busy={pending}
        onPress={() => (enabled && firing > 0 ? setAsking(true) : !pending && void run(!enabled))}
      />
      {asking && (
        <ConfirmDialog
          title={words.confirmOff.title(name)}
          about={words.confirmOff.about(firing)}
          submit={words.confirmOff.submit}
          look="danger"
          pending={pending}
          problem={problem}
          onConfirm={() => void run(false)}
          onClose={() => setAsking(false)}
        />
      )}
    </>
  )
}
