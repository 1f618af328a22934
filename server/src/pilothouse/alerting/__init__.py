"""Alerts at work: rules are judged on events and on time, and what they find is sent.

May import operations, storage, presence, telemetry, notify, domain, access, observe and base.
"""
