import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { alertRuleQuery } from '@/api/alerts-queries'
import { type AlertRuleRowFragment, DeleteAlertRuleDocument } from '@/api/generated/alerts'
import { graphql } from '@/api/request'
import { channels, sentences, rules as words } from '@/strings/alerts'
import { Age } from '@/ui/age'
import { Badge } from '@/ui/badge'
import { Button, buttonClass } from '@/ui/button'
import { ConfirmDialog } from '@/ui/confirm'
import { Panel } from '@/ui/dialog'
import { notify } from '@/ui/notices'
import { Facts } from '@/ui/page'
import { Said } from '@/ui/said'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { WarningMark } from '@/ui/status'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import { useAction } from '@/util/use-action'
import { PlaceText } from '../access/place-text'
import { SeverityMark } from './frame'
import { ruleInWords } from './rule-draft'
import { useAlertsChanged } from './use-alerts-changed'

type RulePanelProps = {
  id: string
  onEdit: () => void
  onDelete: (rule: AlertRuleRowFragment) => void
  onSilence: (rule: AlertRuleRowFragment) => void
  onClose: () => void
}

/** Everything about one rule, and everything that can be done with it. */
export function RulePanel({ id, onClose, ...rest }: RulePanelProps) {
  const query = useQuery(alertRuleQuery(id))
  return (
    <Panel
      open
      onOpenChange={(open) => !open && onClose()}
      title={query.data?.name ?? words.one}
      about={words.panel.about}
    >
      {query.isPending ? (
        <Skeleton label={words.one} />
      ) : query.data === null ? (
        <Empty title={words.panel.missing}>{words.panel.missingText}</Empty>
      ) : query.data === undefined ? (
        <CouldNotLoad what={words.one} error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <Known rule={query.data} {...rest} />
      )}
    </Panel>
  )
}

type Fact = [string, ReactNode]

function Known({
  rule,
  onEdit,
  onDelete,
  onSilence,
}: { rule: AlertRuleRowFragment } & Omit<RulePanelProps, 'id' | 'onClose'>) {
  const somewhere = useBlocked()('ALERT_MGT_MANAGE')
  const blocked = somewhere ?? (rule.editable ? undefined : words.may)
  const facts: Fact[] = [
    [words.panel.says, <Said key="says" text={ruleInWords(rule)} />],
    ...(rule.trouble
      ? [
          [
            words.panel.trouble,
            <WarningMark key="trouble" text={words.trouble}>
              <span className="min-w-0">
                <Said text={rule.trouble} />
              </span>
            </WarningMark>,
          ] as Fact,
        ]
      : []),
    [words.columns.severity, <SeverityMark key="severity" severity={rule.severity} calm={!rule.enabled} />],
    [words.form.where, <Where key="where" rule={rule} />],
    [
      words.columns.channels,
      rule.channels.length === 0 ? (
        <span key="nobody" className="text-faint">
          {words.nobody}
        </span>
      ) : (
        <span key="channels" className="flex flex-wrap gap-1.5">
          {rule.channels.map(({ id, name, kind }) => (
            <Badge key={id} text={name} tip={channels.kinds[kind]} />
          ))}
        </span>
      ),
    ],
    [
      words.panel.firing,
      rule.firing > 0 ? (
        <Link key="firing" {...to.alerts({ rule: rule.id })} className="font-medium text-bad hover:underline">
          {rule.firing}
        </Link>
      ) : (
        words.none
      ),
    ],
    [words.panel.judged, rule.lastJudgedAt ? <Age key="judged" at={rule.lastJudgedAt} ago /> : words.notYet],
    [
      words.panel.created,
      <span key="created">
        <Age at={rule.createdAt} ago />, {rule.createdBy}
      </span>,
    ],
  ]
  return (
    <div className="space-y-4 pb-6">
      <Facts facts={facts} />
      <div className="flex flex-wrap gap-2 px-3.5">
        <Button blocked={blocked} onClick={onEdit}>
          {words.panel.edit}
        </Button>
        <Link {...to.alerts({ rule: rule.id })} className={buttonClass('plain')}>
          {words.panel.alerts}
        </Link>
        {/* In a part of what the rule watches somebody may silence it who may not change it. */}
        <Button blocked={somewhere} onClick={() => onSilence(rule)}>
          {words.panel.silence}
        </Button>
        <Button blocked={blocked} onClick={() => onDelete(rule)}>
          {words.panel.remove}
        </Button>
      </div>
    </div>
  )
}

function Where({ rule }: { rule: AlertRuleRowFragment }) {
  if (!rule.criticalOnly) return <PlaceText place={rule} />
  return (
    <span>
      {rule.project && <PlaceText place={rule} />} {sentences.inCritical}
    </span>
  )
}

type DeleteRuleProps = { rule: AlertRuleRowFragment; onDone: () => void; onClose: () => void }

export function DeleteRule({ rule: { id, name }, onDone, onClose }: DeleteRuleProps) {
  const changed = useAlertsChanged()
  const { run, pending, problem } = useAction(async () => {
    await graphql(DeleteAlertRuleDocument, { id })
    onDone()
    onClose()
    changed()
    notify(words.remove.done(name))
  })
  return (
    <ConfirmDialog
      title={words.remove.title(name)}
      about={words.remove.about}
      submit={words.remove.submit}
      look="danger"
      pending={pending}
      problem={problem}
      onConfirm={() => void run()}
      onClose={onClose}
    />
  )
}
