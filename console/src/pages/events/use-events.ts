import { keepPreviousData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useEffectEvent, useRef, useState } from 'react'
import {
  type EventFilter,
  EventHappenedDocument,
  type EventHappenedSubscription,
  type EventRowFragment,
} from '@/api/generated/people'
import { eventsQuery } from '@/api/people-queries'
import { openLineOf } from '@/live/subscription'
import { withNew } from './merge'

type Change = EventHappenedSubscription['eventHappened']

/** Events as they happen: the list is read, then the line tells what comes; while somebody points at it, they wait. */
export function useEvents(filter: EventFilter) {
  const client = useQueryClient()
  const options = eventsQuery(filter)
  const query = useInfiniteQuery({ ...options, placeholderData: keepPreviousData })
  const busy = useRef(false)
  const [held, setHeld] = useState<EventRowFragment[]>([])
  const key = JSON.stringify(filter)
  const isRead = query.isSuccess && !query.isPlaceholderData

  const show = (rows: EventRowFragment[]) =>
    client.setQueryData(options.queryKey, (pages) => pages && (withNew(pages, rows) as typeof pages))

  const take = useEffectEvent(({ resync, event }: Change) => {
    if (resync) void client.invalidateQueries({ queryKey: options.queryKey })
    if (!event) return
    if (busy.current) setHeld((before) => [event, ...before.filter((each) => each.sequence !== event.sequence)])
    else show([event])
  })
  const open = useEffectEvent(() => {
    // A time that has ended brings nothing new.
    if (filter.to && Date.parse(filter.to) < Date.now()) return undefined
    const newest = client.getQueryData(options.queryKey)?.pages[0]?.nodes[0]?.sequence ?? null
    return openLineOf(EventHappenedDocument, {
      filter: JSON.parse(key) as EventFilter,
      after: newest,
      onChange: (change) => take(change),
      onState: () => undefined,
    })
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: another filter is another line
  useEffect(() => {
    setHeld([])
    return isRead ? open() : undefined
  }, [key, isRead])

  return {
    query,
    held,
    showHeld: () => {
      show(held)
      setHeld([])
    },
    setBusy: (value: boolean) => {
      busy.current = value
    },
  }
}
