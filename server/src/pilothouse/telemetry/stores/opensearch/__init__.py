"""The store for those who have an OpenSearch cluster: everything lies there, and nothing here.

    append ─bulk→ one data stream per sort and environment (on disk when it is acknowledged)
    question ─refresh, search→ answer

A line's place is (`at_ns`, `number`): both are fields, so that a list goes on with `search_after` behind any line. Numbers
are made here, from the time and from the number of the writer, so that several control planes can write at once.
What the cluster cannot decide exactly (regular expressions in RE2's language) it narrows, and it is decided here.
"""
