import type { MergedArtifactsQuery } from '@/api/generated/people'
import { merged as words } from '@/strings/changing'
import { diffOf } from '@/util/diff'
import { RuntimeNames } from '../steering/observed'

type Variant = NonNullable<MergedArtifactsQuery['mergedArtifacts']>['nodes'][number]['variants'][number]

/** The forms in which runtimes report an artifact: the most frequent one first, of the others what differs from it. */
export function Variants({ name, variants }: { name: string; variants: Variant[] }) {
  return (
    <details>
      <summary aria-label={`${name}: ${words.variants(variants.length)}`} className="w-fit">
        {words.variants(variants.length)}
      </summary>
      <ul className="mt-1 space-y-1.5">
        {variants.map(({ differences, runtimes, runtimeCount }) => {
          const fields = diffOf(null, differences)
          return (
            <li key={`${differences} ${runtimes[0]?.id}`} className="border-l-2 border-line pl-2.5">
              <div className="text-muted">
                {fields.length === 0 ? words.usual : words.difference} {words.variant(runtimeCount)}:{' '}
                <RuntimeNames runtimes={runtimes} count={runtimeCount} />
              </div>
              {fields.map(({ field, after }) => (
                <code key={field} className="block [overflow-wrap:anywhere]">
                  <span aria-hidden>+ </span>
                  {field}: {after}
                </code>
              ))}
            </li>
          )
        })}
      </ul>
    </details>
  )
}
