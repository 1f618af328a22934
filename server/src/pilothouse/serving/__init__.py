"""What carries the two ports in one process and one event loop: listening, TLS, limits, certificates, stopping."""
