/** A quiet word beside a name. */
export function Badge({ text, tip }: { text: string; tip?: string }) {
  return (
    <span data-tip={tip} className="rounded border border-edge px-1.5 text-[11px] leading-[18px] text-muted">
      {text}
    </span>
  )
}
