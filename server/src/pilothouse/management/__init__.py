"""The control plane's own calls of Micro Integrator's management API, outside of any heartbeat.

`calls` says what to ask, `policy` whom one may ask, `tokens` in whose name, `client` asks; `failures` names what can go wrong.
"""
