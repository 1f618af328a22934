/** The product's mark: a heading on a dark plate. */
export function Mark({ size }: { size: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="#16324f" />
      <path d="M16 5.5 24.5 25 16 20.8 7.5 25Z" fill="#fff" />
      <path d="M16 5.5 24.5 25 16 20.8Z" fill="#9fc3e6" />
    </svg>
  )
}
