import { runtimeLabel } from '@/util/runtime-label'

type Named = { id: string; name: string | null; runtimeId: string }
export type Piece<Runtime> = { text: string; runtime?: Runtime }

/** A sentence with the runtimes that it names as pieces of their own, and those that it only counts. */
export function linked<Runtime extends Named>(message: string, runtimes: Runtime[]) {
  let pieces: Piece<Runtime>[] = [{ text: message }]
  const unnamed: Runtime[] = []
  // The longest first: `orders-prod-1` also begins `orders-prod-12`.
  for (const runtime of [...runtimes].sort((a, b) => runtimeLabel(b).length - runtimeLabel(a).length)) {
    const label = runtimeLabel(runtime)
    const at = pieces.findIndex((piece) => !piece.runtime && piece.text.includes(label))
    const piece = pieces[at]
    if (!piece) {
      unnamed.push(runtime)
      continue
    }
    const start = piece.text.indexOf(label)
    pieces = [
      ...pieces.slice(0, at),
      { text: piece.text.slice(0, start) },
      { text: label, runtime },
      { text: piece.text.slice(start + label.length) },
      ...pieces.slice(at + 1),
    ].filter(({ text }) => text !== '')
  }
  return { pieces, unnamed }
}
