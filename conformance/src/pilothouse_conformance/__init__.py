"""Judges a control plane at a URL by what runtimes and people meet there: the 66 cases of the runtime protocol."""

__version__ = "0.1.0"
