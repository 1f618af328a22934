"""Logs, metrics and traces: what they are, where they are kept, what may be asked of them."""
