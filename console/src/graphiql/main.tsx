import './graphiql.css'
import 'graphiql/style.css'
import { GraphiQL } from 'graphiql'
import { createRoot } from 'react-dom/client'
import { graphiql as words } from '@/strings/graphiql'
import { fetcher } from './fetcher'

const root = document.getElementById('root')
if (root) createRoot(root).render(<GraphiQL fetcher={fetcher} defaultQuery={words.welcome} />)
