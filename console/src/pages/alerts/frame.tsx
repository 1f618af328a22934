import { CircleAlert, Info, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import type { AlertSeverity } from '@/api/generated/alerts'
import { alerts as words } from '@/strings/alerts'
import { PageHead } from '@/ui/page'
import { Tabs } from '@/ui/tabs'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'

/** The pages of alerts under one title; one that is not open to the viewer says why. */
export function AlertsFrame({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  const blocked = useBlocked()
  const tabs = [
    { name: words.tabs.alerts, link: to.alerts() },
    { name: words.tabs.rules, link: to.alertRules() },
    { name: words.tabs.channels, link: to.alertChannels(), blocked: blocked('ALERT_MGT_MANAGE') },
    { name: words.tabs.silences, link: to.alertSilences() },
  ]
  return (
    <>
      <PageHead title={title} actions={actions} />
      <Tabs label={words.title} tabs={tabs} />
      {children}
    </>
  )
}

const looks = {
  CRITICAL: { icon: CircleAlert, tone: 'text-bad' },
  WARNING: { icon: TriangleAlert, tone: 'text-warn' },
  INFO: { icon: Info, tone: 'text-muted' },
} as const

/** A severity is always an icon and a word, never colour alone; `calm` where it is over. */
export function SeverityMark({ severity, calm = false }: { severity: AlertSeverity; calm?: boolean }) {
  const { icon: Icon, tone } = looks[severity]
  return (
    <span className={`inline-flex items-center gap-1.5 font-medium ${calm ? 'text-muted' : tone}`}>
      <Icon size={14} aria-hidden />
      {words.severities[severity]}
    </span>
  )
}
