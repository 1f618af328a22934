"""Trying out services: one request of a person, sent by the control plane to a port that a runtime reported.

`asked` says what may be sent, `policy` to whom, `client` sends it, `quota` says how often; `failures` names what can go wrong.
"""
