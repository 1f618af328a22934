import { Tabs } from '@base-ui/react/tabs'
import { useSuspenseQuery } from '@tanstack/react-query'
import { TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import type { GenerateSecretMutation } from '@/api/generated/operations'
import { viewerQuery } from '@/api/queries'
import { strings } from '@/strings/common'
import { addRuntime as words } from '@/strings/runtimes'
import { CodeBlock, CopyIconButton } from '@/ui/copy'
import { Said } from '@/ui/said'
import { FirstHeartbeat } from './first-heartbeat'

type GeneratedSecretProps = { generated: GenerateSecretMutation['generateSecret']; onCopied: () => void }

/** The snippet, what to do with it, and whether it worked. */
export function GeneratedSecret({ generated, onCopied }: GeneratedSecretProps) {
  const { controlPlane } = useSuspenseQuery(viewerQuery).data
  return (
    <>
      <p className="mb-2 flex items-start gap-2 rounded-md bg-warn-soft px-3 py-2">
        <TriangleAlert size={15} className="mt-0.5 shrink-0 text-warn" aria-hidden />
        {words.once}
      </p>
      <CodeBlock code={generated.configToml} label={words.file} onCopied={onCopied} />
      <p className="mt-1.5 text-[12px] text-muted">
        <Said text={words.otherMachine(controlPlane.runtimeUrl)} />
      </p>
      <Tabs.Root defaultValue="python" className="mt-3">
        <Tabs.List className="mb-2 flex gap-1 border-b border-line">
          <Tab value="python">{words.stepsPython}</Tab>
          <Tab value="ballerina">{words.stepsBallerina}</Tab>
        </Tabs.List>
        <Tabs.Panel value="python">
          <Steps>
            <Step text={words.steps.install} code="pip install pilothouse-bridge" />
            <Step text={words.steps.place} />
            <Step text={words.steps.import} code="import pilothouse_bridge.auto" />
            <Step text={words.steps.run} />
          </Steps>
        </Tabs.Panel>
        <Tabs.Panel value="ballerina">
          <Steps>
            <Step text={words.ballerina.import} code="import wso2/icp.runtime.bridge as _;" />
            <Step text={words.ballerina.enable} code="remoteManagement = true" />
            <Step text={words.ballerina.place} />
          </Steps>
        </Tabs.Panel>
      </Tabs.Root>
      <FirstHeartbeat keyId={generated.keyId} />
    </>
  )
}

function Tab({ value, children }: { value: string; children: ReactNode }) {
  return (
    <Tabs.Tab
      value={value}
      className="-mb-px h-7 border-b-2 border-transparent px-2 text-muted hover:text-ink data-[active]:border-ink data-[active]:font-medium data-[active]:text-ink"
    >
      {children}
    </Tabs.Tab>
  )
}

function Steps({ children }: { children: ReactNode }) {
  return <ol className="list-decimal space-y-1 pl-5 marker:text-faint">{children}</ol>
}

/** A step and what it asks to type, ready to copy. */
function Step({ text, code }: { text: string; code?: string }) {
  const sentence = code && !text.includes(code) ? `${text} \`${code}\`` : text
  return (
    <li>
      <Said text={sentence} />
      {code && (
        <span className="ml-1 inline-flex align-middle">
          <CopyIconButton text={code} label={strings.copyWhat(code)} />
        </span>
      )}
    </li>
  )
}
