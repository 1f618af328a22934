"""A control plane as seen from outside: the HTTP and GraphQL client, who is signed in, and an organization kept as code.

It imports nothing of the server but `base`: what it knows, it knows from the contracts.
"""
