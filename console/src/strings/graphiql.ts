export const graphiql = {
  welcome: `# Queries run with your session: what you may not see is not there.
# Ctrl-Space completes, Ctrl-Enter runs.

query Fleet {
  organization {
    runtimes {
      running
      offline
      unknown
    }
  }
}
`,
  signIn: 'You are not signed in. Sign in to the console in another tab, then run it again.',
}
