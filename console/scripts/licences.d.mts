export type Licence = { name: string; version: string; licence: string; text: string }
/** The packages of a build by the addresses of its modules, each with its licence. */
export function licencesOf(ids: string[]): Licence[]
