"""Pilothouse: a self-hosted control plane for integrations."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("pilothouse")
except PackageNotFoundError:  # run from a source tree that was never installed
    __version__ = "0+unknown"
