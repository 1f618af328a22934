import { type ComponentType, lazy, Suspense } from 'react'

/** A part of a page that is loaded when it is first shown: most dialogs are never opened. */
export function lazily<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  const Loaded = lazy(async () => ({ default: (await load()) as ComponentType<object> }))
  // biome-ignore lint/correctness/noComponentHookFactories: made once for each part, where its page is declared
  return function Lazily(props: Props) {
    return (
      <Suspense>
        <Loaded {...props} />
      </Suspense>
    )
  }
}
