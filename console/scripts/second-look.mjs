// Runs once more, one after another, the stories that failed in the whole run: CI's machine is small, and a story that fails for
// want of time tells nothing of the console. Nothing is hidden: what passes only now is named, and more than a few that failed
// have a cause in common. `npm run e2e:again`, after a whole run with CI set, which notes what became of each story.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const MOST = 5
/** The folder of the console, where npm runs it. */
const CONSOLE = process.cwd()
const NOTED = join(CONSOLE, 'e2e/failed/stories.json')
const NOTED_ALONE = join(CONSOLE, 'e2e/failed/alone.json')
const VITEST = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))

const say = (line) => process.stdout.write(`${line}\n`)

/** What a run noted, and the note is gone: another run must not be judged by it. */
function noted(path) {
  if (!existsSync(path)) return undefined
  const { testResults } = JSON.parse(readFileSync(path, 'utf8'))
  rmSync(path)
  return testResults
}

/** Each story that failed, by its file. A file that failed without one, as where no browser started, is looked at whole. */
function failedIn(testResults) {
  return testResults
    .filter(({ status }) => status !== 'passed')
    .flatMap(({ name: file, assertionResults }) => {
      const failed = assertionResults.filter(({ status }) => status === 'failed')
      return failed.length > 0 ? failed.map(({ fullName }) => ({ file, story: fullName })) : [{ file }]
    })
}

/** Whether it passed alone; a story that was not found did not. */
function passedIn(testResults, { file, story }) {
  const found = testResults.filter(({ name }) => name === file)
  const told = found.flatMap(({ assertionResults }) => assertionResults)
  const of = story === undefined ? told : told.filter(({ fullName }) => fullName === story)
  const well = of.length > 0 && of.every(({ status }) => status === 'passed' || status === 'skipped')
  return well && (story === undefined ? found.every(({ status }) => status === 'passed') : true)
}

/** Runs one story, or one file, beside nothing else. */
function alone({ file, story }) {
  rmSync(NOTED_ALONE, { force: true })
  const only = story === undefined ? [] : ['-t', `^${story.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`]
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${NOTED_ALONE}`]
  const options = ['--config', 'vitest.e2e.config.ts', '--no-file-parallelism', ...reporters]
  const { status } = spawnSync(process.execPath, [VITEST, 'run', relative(CONSOLE, file), ...only, ...options], {
    cwd: CONSOLE,
    // Without what CI alone has: the note of the whole run, and a second try.
    env: { ...process.env, CI: '' },
    stdio: 'inherit',
  })
  const told = noted(NOTED_ALONE)
  return status === 0 && told !== undefined && passedIn(told, { file, story })
}

function main() {
  const told = noted(NOTED)
  if (told === undefined) {
    say('The run did not come to its end: nothing is tried again.')
    return 1
  }
  const failed = failedIn(told)
  if (failed.length === 0 || failed.length > MOST) {
    say(`${failed.length} stories failed: from 1 to ${MOST} are tried again.`)
    return 1
  }
  say(`Trying ${failed.length} again, alone.`)
  const rows = failed.map((each) => ({ ...each, passed: alone(each) }))
  say('\nALONE   STORY')
  for (const { passed, file, story = 'the whole file' } of rows)
    say(`${passed ? 'passed' : 'failed'}  ${relative(CONSOLE, file)} > ${story}`)
  const unsteady = rows.filter(({ passed }) => passed).length
  if (unsteady > 0) say(`UNSTEADY: ${unsteady} failed beside others and did not fail alone.`)
  return unsteady === rows.length ? 0 : 1
}

process.exit(main())
