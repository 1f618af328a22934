"""The rules that every organization begins with: given once, and its own from then on."""

from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select

from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.reconcile.alerts import AlertCondition, AlertSeverity, Rule
from pilothouse.storage import alert_rules
from pilothouse.storage.alert_tables import alert_rules_begun

RULES: Final = {
    "runtime-offline": Rule(
        id="",
        name="A runtime is offline in a critical environment",
        condition=AlertCondition.RUNTIME_OFFLINE,
        severity=AlertSeverity.CRITICAL,
        critical_only=True,
    ),
    # It must hold as long as is looked back: one request that fails in a quiet night is no trouble.
    "error-rate": Rule(
        id="", name="Requests fail", condition=AlertCondition.ERROR_RATE, threshold=0.05, window_s=300, for_s=300
    ),
    "expiring": Rule(
        id="", name="A secret or the certificate ends soon", condition=AlertCondition.EXPIRING, threshold=14
    ),
    "telemetry-dropped": Rule(id="", name="Telemetry is lost", condition=AlertCondition.TELEMETRY_DROPPED),
}
"""By code. They are enabled and tell no channel: what they find is in the console."""
_MADE_BY: Final = "pilothouse"


def begin(connection: Connection, organization_id: str, now: Instant) -> None:
    """Give an organization the rules that it was not given yet; what somebody deleted or changed stays so."""
    c = alert_rules_begun.c
    given = set(connection.execute(select(c.code).where(c.organization_id == organization_id)).scalars())
    for code, rule in RULES.items():
        if code in given:
            continue
        connection.execute(insert(alert_rules_begun).values(organization_id=organization_id, code=code))
        if not alert_rules.is_named(connection, rule):  # else somebody has one of their own
            own = msgspec.structs.replace(rule, id=new_id())
            alert_rules.add(connection, organization_id, own, by=_MADE_BY, now=now, built_in=code)
