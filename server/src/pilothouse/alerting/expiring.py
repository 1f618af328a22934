"""What ends soon: secrets of runtimes, and the certificates that this control plane shows."""

from collections.abc import Sequence

import msgspec

from pilothouse.access.places import EVERYWHERE
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.operations.alert_judging import Found
from pilothouse.reconcile.alerts import Measurement, Rule
from pilothouse.storage.alert_expiring import Expiring

_DAY_S = 86_400.0


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate that this control plane shows."""

    name: str
    """What people call it."""
    expires_at: Instant


def measure_expiring(
    rule: Rule, ending: Sequence[Expiring], certificates: Sequence[Certificate], now: Instant
) -> Found:
    """Tell what ends within the rule's threshold; certificates belong to rules that watch everything."""
    found = [
        Measurement(
            subject=f"secret:{secret.key_id}",
            holds=True,
            message=f"The secret {secret.key_id} {_when(secret.expires_at, now)}",
            value=_days(secret.expires_at, now),
            place=secret.place,
        )
        for secret in ending
        if rule.watches(secret.place)
    ]
    if rule.places == (EVERYWHERE,):
        found += [
            Measurement(
                subject=f"certificate:{certificate.name}",
                holds=True,
                message=f"The certificate {certificate.name} {_when(certificate.expires_at, now)}",
                value=_days(certificate.expires_at, now),
            )
            for certificate in certificates
            if certificate.expires_at <= now + (rule.threshold or 0) * _DAY_S
        ]
    return Found(measurements=found)


def _when(at: Instant, now: Instant) -> str:
    """Say when it ends; without a figure that changes with every look."""
    return f"{'ended' if at <= now else 'ends'} at {to_rfc3339(at)}."


def _days(at: Instant, now: Instant) -> float:
    return round((at - now) / _DAY_S, 1)
