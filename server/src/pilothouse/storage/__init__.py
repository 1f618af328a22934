"""The only room that knows SQL: one aggregate a file; functions are verbs, take a connection, return domain structs."""
