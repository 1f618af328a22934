import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { heartbeatQuery } from '@/api/queries'
import { strings, typeNames } from '@/strings/common'
import { runtime as words } from '@/strings/runtimes'
import { changes as changeWords } from '@/strings/steering'
import { Age } from '@/ui/age'
import { CopyIconButton } from '@/ui/copy'
import { Card, Facts } from '@/ui/page'
import { CriticalBadge } from '@/ui/status'
import { to } from '@/util/paths'
import { useBlocked } from '@/util/permissions'
import type { RuntimeFacts } from './index'

const unknown = <span className="text-faint">{strings.notReported}</span>

export function Process({ runtime }: { runtime: RuntimeFacts }) {
  const { node, environment, project, integration } = runtime
  const heartbeat = useQuery(heartbeatQuery(runtime.id))
  const lastHeartbeatAt = [runtime.lastHeartbeatAt, heartbeat.data?.lastHeartbeatAt]
    .filter((at) => at != null)
    .sort()
    .at(-1)
  const os = [node.osName, node.osVersion, node.osArch].filter(Boolean).join(' ')
  const platform = [node.platformName, node.platformVersion].filter(Boolean).join(' ')
  return (
    <Card title={words.process} label={words.process}>
      <Facts
        facts={[
          [
            words.facts.environment,
            <span key="environment" className="inline-flex flex-wrap items-center gap-2">
              <Link {...to.runtimes(environment.handle)} className="link">
                {environment.displayName}
              </Link>
              {environment.critical && <CriticalBadge />}
            </span>,
          ],
          [
            words.facts.integration,
            <span key="integration" className="inline-flex flex-wrap items-center gap-x-1">
              <Link {...to.project(project.handle)} className="link">
                {project.displayName}
              </Link>
              <span className="text-faint">/</span>
              <Link {...to.integration(project.handle, integration.handle)} className="link">
                {integration.displayName}
              </Link>
            </span>,
          ],
          [words.facts.heartbeat, lastHeartbeatAt ? <Age key="heartbeat" at={lastHeartbeatAt} ago /> : unknown],
          [words.facts.type, typeNames[runtime.type].long],
          [words.facts.version, runtime.version ? <code key="version">{runtime.version}</code> : unknown],
          ...(runtime.automation
            ? [
                [
                  words.facts.automation,
                  `${runtime.automation.organization}/${runtime.automation.package} ${runtime.automation.version}`,
                ] as [string, string],
              ]
            : []),
          [words.facts.host, node.hostname ? <code key="host">{node.hostname}</code> : unknown],
          [words.facts.processId, node.processId ?? unknown],
          [words.facts.started, node.startedAt ? <Age key="started" at={node.startedAt} ago /> : unknown],
          [words.facts.platform, platform || unknown],
          [words.facts.home, node.platformHome ? <code key="home">{node.platformHome}</code> : unknown],
          [words.facts.os, os || unknown],
        ]}
      />
    </Card>
  )
}

/** An identity stays on one line, in small letters, and is copied with one press. */
function Identifier({ name, value }: { name: string; value: string }) {
  return (
    <span className="flex items-center gap-1">
      <code className="min-w-0 overflow-x-auto whitespace-nowrap text-[11px] tracking-[-0.01em]">{value}</code>
      <CopyIconButton text={value} label={strings.copyWhat(name)} />
    </span>
  )
}

type Fact = [string, ReactNode]

/** Leads to the secret for those who may see secrets. */
function SecretLink({ keyId }: { keyId: string }) {
  const blocked = useBlocked()('ENVIRONMENT_MGT_MANAGE_NONPROD')
  if (blocked) return <code>{keyId}</code>
  return (
    <Link {...to.secret(keyId)} className="mono link">
      {keyId}
    </Link>
  )
}

/** How what is asked of it reaches it. */
function ChannelFact({ connected, since }: NonNullable<RuntimeFacts['channel']>) {
  return (
    <span data-tip={connected ? changeWords.channelTip : changeWords.byHeartbeatTip}>
      {connected ? changeWords.channel : changeWords.byHeartbeat}
      {since && (
        <>
          , <Age at={since} ago />
        </>
      )}
    </span>
  )
}

export function Identity({ runtime }: { runtime: RuntimeFacts }) {
  const channel = (useQuery(heartbeatQuery(runtime.id)).data ?? runtime).channel
  return (
    <Card title={words.identity} label={words.identity}>
      <Facts
        facts={[
          [
            words.facts.runtimeId,
            <Identifier key="runtimeId" name={words.facts.runtimeId} value={runtime.runtimeId} />,
          ],
          [words.facts.name, runtime.name ? <code key="name">{runtime.name}</code> : unknown],
          [words.facts.id, <Identifier key="id" name={words.facts.id} value={runtime.id} />],
          [words.facts.secret, runtime.secretKeyId ? <SecretLink key="secret" keyId={runtime.secretKeyId} /> : unknown],
          [
            words.facts.interval,
            runtime.heartbeatIntervalSeconds == null
              ? words.intervalUnknown
              : words.seconds(runtime.heartbeatIntervalSeconds),
          ],
          [words.facts.offlineAfter, words.seconds(runtime.offlineAfterSeconds)],
          ...(channel ? [[words.facts.channel, <ChannelFact key="channel" {...channel} />] as Fact] : []),
          ...(runtime.capabilities.length > 0
            ? [[words.facts.capabilities, <code key="capabilities">{runtime.capabilities.join(' ')}</code>] as Fact]
            : []),
          [words.facts.address, runtime.address ? <code key="address">{runtime.address}</code> : unknown],
          [words.facts.registered, <Age key="registered" at={runtime.registeredAt} ago />],
        ]}
      />
    </Card>
  )
}
