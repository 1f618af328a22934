"""A fleet of runtimes that behave as their kinds do, with their defects, and count what they would have lost.

Nothing here imports the server or the bridge: what judges them must not share their mistakes.
Source of the behaviour: the reference of the runtimes' protocol and `contracts/`.
"""
