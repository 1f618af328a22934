import { useLineState } from '@/live/hub'
import { shell } from '@/strings/shell'
import { clockTime } from '@/util/time'

/** Says whether the page is live, catching up, or cut off since when. */
export function LiveMark() {
  const line = useLineState()
  const looks = {
    live: { text: shell.live.live, tip: shell.live.liveMeaning, dot: 'bg-ok', tone: 'text-muted' },
    'catching-up': {
      text: shell.live.catchingUp,
      tip: shell.live.catchingUpMeaning,
      dot: 'bg-warn breathe',
      tone: 'text-warn',
    },
    'cut-off': {
      text: line.state === 'cut-off' ? shell.live.cutOff(clockTime(line.since)) : '',
      tip: shell.live.cutOffMeaning((line.state === 'cut-off' && line.problem?.message) || shell.live.cutOffCause),
      dot: 'bg-bad',
      tone: 'font-medium text-bad',
    },
  }[line.state]
  return (
    <span
      role="status"
      data-tip={looks.tip}
      data-line={line.state}
      className={`nums flex items-center gap-1.5 whitespace-nowrap text-[12px] ${looks.tone}`}
    >
      <span aria-hidden className={`size-[7px] rounded-full ${looks.dot}`} />
      {looks.text}
    </span>
  )
}
