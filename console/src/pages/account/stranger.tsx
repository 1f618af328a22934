import { useQueryClient, useSuspenseQuery } from '@tanstack/react-query'
import { viewerQuery } from '@/api/queries'
import { stranger as words } from '@/strings/account'
import { Button } from '@/ui/button'
import { CodeBlock } from '@/ui/copy'
import { PageHead } from '@/ui/page'

/** For somebody who is signed in and whom no role leads anywhere: whom to ask, with the words to send. */
export function Stranger() {
  const { viewer } = useSuspenseQuery(viewerQuery).data
  const client = useQueryClient()
  const request = words.request(viewer.username, `${location.origin}/access/users/${viewer.id}`)
  return (
    <div className="mx-auto max-w-xl py-10">
      <PageHead title={words.title} />
      <p>{words.lead(viewer.displayName || viewer.username)}</p>
      <p className="mb-3 mt-2">{words.ask}</p>
      <CodeBlock code={request} label={words.copy} prose />
      <Button
        look="solid"
        className="mt-4"
        onClick={() => void client.invalidateQueries({ queryKey: viewerQuery.queryKey })}
      >
        {words.again}
      </Button>
    </div>
  )
}
