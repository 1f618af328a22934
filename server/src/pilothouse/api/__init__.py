"""The people's edge, port 9446: GraphQL, REST for sign-in and health, and the console's files."""
