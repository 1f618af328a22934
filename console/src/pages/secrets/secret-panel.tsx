import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { PAGE_SIZE, secretQuery } from '@/api/queries'
import { secrets as words } from '@/strings/secrets'
import { Age } from '@/ui/age'
import { Panel } from '@/ui/dialog'
import { Facts } from '@/ui/page'
import { CouldNotLoad, Empty, Skeleton } from '@/ui/states'
import { CriticalBadge } from '@/ui/status'
import { to } from '@/util/paths'
import { SecretActions } from './actions'
import { Expiry } from './expiry'
import { Hanging, type SecretFacts } from './hangs'
import { SecretState, Until } from './state'

type SecretPanelProps = {
  keyId: string
  onClose: () => void
  onOpen: (keyId: string) => void
  onRevoke: (secret: SecretFacts) => void
  onRotate: (secret: SecretFacts) => void
}

/** Everything about one secret, and everything that can be done with it. */
export function SecretPanel({ keyId, onClose, ...rest }: SecretPanelProps) {
  const query = useQuery(secretQuery(keyId, PAGE_SIZE))
  return (
    <Panel open onOpenChange={(open) => !open && onClose()} title={words.open(keyId)} about={words.panel.about}>
      {query.isPending ? (
        <Skeleton label={words.one} />
      ) : query.data === null ? (
        <Empty title={words.missing(keyId)}>{words.missingText}</Empty>
      ) : query.data === undefined ? (
        <CouldNotLoad what={words.one} error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <Known secret={query.data} {...rest} />
      )}
    </Panel>
  )
}

type Fact = [string, ReactNode]
type KnownProps = { secret: SecretFacts } & Omit<SecretPanelProps, 'keyId' | 'onClose'>

function Known({ secret, onOpen, onRevoke, onRotate }: KnownProps) {
  const { environment, project, integration, state } = secret
  const other = (keyId: string) => (
    <button type="button" className="mono link" onClick={() => onOpen(keyId)}>
      {keyId}
    </button>
  )
  const facts: Fact[] = [
    [words.panel.state, <SecretState key="state" secret={secret} />],
    [words.panel.expires, secret.expiresAt ? <Until key="expires" at={secret.expiresAt} /> : words.panel.neverExpires],
    ...(secret.revokedFrom ? [[words.panel.revokedFrom, <Until key="from" at={secret.revokedFrom} />] as Fact] : []),
    ...(secret.revokedBy ? [[words.panel.revokedBy, secret.revokedBy] as Fact] : []),
    [words.panel.lastUsed, secret.lastUsedAt ? <Age key="used" at={secret.lastUsedAt} ago /> : words.never],
    [
      words.panel.environment,
      <span key="environment" className="inline-flex items-center gap-2">
        {environment.displayName}
        {environment.critical && <CriticalBadge />}
      </span>,
    ],
    [
      words.panel.bound,
      project && integration ? (
        <Link key="bound" {...to.integration(project.handle, integration.handle)} className="link">
          {project.displayName} / {integration.displayName}
        </Link>
      ) : (
        words.unbound
      ),
    ],
    ...(secret.boundAt ? [[words.panel.boundAt, <Age key="boundAt" at={secret.boundAt} ago />] as Fact] : []),
    [
      words.panel.created,
      <span key="created">
        <Age at={secret.createdAt} ago />, {secret.createdBy}
      </span>,
    ],
    ...(secret.rotates ? [[words.panel.rotates, other(secret.rotates)] as Fact] : []),
    ...(secret.rotatedBy ? [[words.panel.rotatedBy, other(secret.rotatedBy)] as Fact] : []),
  ]
  return (
    <div className="space-y-4 pb-6">
      <Facts facts={facts} />
      <div className="flex flex-wrap gap-2 px-3.5">
        <SecretActions
          look="plain"
          secret={secret}
          onRevoke={() => onRevoke(secret)}
          onRotate={() => onRotate(secret)}
        />
      </div>
      <section className="px-3.5" aria-label={words.panel.hangs}>
        <h3 className="mb-1 font-medium">{words.panel.hangs}</h3>
        <Hanging runtimes={secret.runtimes} />
      </section>
      <div className="px-3.5">
        {state === 'REVOKED' ? (
          <p className="text-muted">{words.panel.revokedText}</p>
        ) : (
          <Expiry key={secret.expiresAt} secret={secret} />
        )}
      </div>
    </div>
  )
}
