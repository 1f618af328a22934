/** The documents of the console by their SHA-256, in hex. */
export function manifest(): Record<string, string>
