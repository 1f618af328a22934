"""The runtimes' edge, port 9445: bytes in, bytes out; nothing untrusted gets past it."""
