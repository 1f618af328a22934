import { useState } from 'react'
import { type ApiProblem, asProblem } from '@/api/problem'

/**
 * Runs one mutation and remembers only whether it is under way and how it failed. What it answers goes to
 * the caller alone: answers that hold a secret must not stay in a cache.
 */
export function useAction<Args extends unknown[], Result>(action: (...args: Args) => Promise<Result>) {
  const [pending, setPending] = useState(false)
  const [problem, setProblem] = useState<ApiProblem>()
  const run = async (...args: Args): Promise<Result | undefined> => {
    setPending(true)
    setProblem(undefined)
    try {
      return await action(...args)
    } catch (error) {
      setProblem(asProblem(error))
      return undefined
    } finally {
      setPending(false)
    }
  }
  return { run, pending, problem }
}
