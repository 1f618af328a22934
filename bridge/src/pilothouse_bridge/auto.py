"""The blank import: ``import pilothouse_bridge.auto`` connects this program and never fails it.

A configuration that cannot be used is logged once with its fix, and the program runs on unconnected.
"""

from pilothouse_bridge._bridge import connect_or_log

connect_or_log()
