"""Stores behind the port of `telemetry/store.py`, one a package or file."""
