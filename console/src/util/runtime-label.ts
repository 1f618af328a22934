/** A runtime's label; without one the start of its identity. */
export function runtimeLabel(runtime: { name: string | null; runtimeId: string }): string {
  return runtime.name ?? runtime.runtimeId.slice(0, 8)
}
