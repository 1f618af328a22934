"""The GraphQL API: contracts/schema.graphql, bound to operations."""
