"""Telemetry that is lost at the intake, and what ends soon: the server's own certificate, and secrets."""

import datetime as dt

import pytest
from pilothouse.alerting.figures import measure_losses
from pilothouse.alerting.worker import QUICK
from pilothouse.app.alerting import certificates
from pilothouse.reconcile.alerts import REFRESH_S, Alert, AlertCondition, AlertState, Rule
from pilothouse.serving.certificates import CertificateSettings, ensure
from pilothouse.telemetry.senders import RuntimeSender

pytestmark = pytest.mark.anyio


async def test_what_the_intake_refuses_of_a_runtime_fires_and_ends_when_nothing_more_is_lost(
    alerts, runtime, postman
) -> None:
    await alerts.rule("TELEMETRY_DROPPED", windowS=60, channels=[await alerts.channel()])
    await runtime.full()
    entry = alerts.plane.board.list_all()[0]
    sender = RuntimeSender(
        key_id=runtime.secret[:8],
        project_id=entry.project_id,
        integration_id=entry.integration_id,
        environment_id=entry.environment_id,
    )
    assert await alerts.look() == []
    alerts.plane.intake.refuse(sender, 7, "the line is longer than 1 MiB")
    (found,) = await alerts.look()
    assert (found["state"], found["integration"]["handle"], found["value"]) == ("FIRING", "order-intake", 7.0)
    assert "7 records" in found["message"]
    assert "the line is longer than 1 MiB" in found["message"]
    await alerts.send()
    alerts.plane.intake.refuse(sender, 1, "the line is longer than 1 MiB")
    await alerts.look()
    await alerts.send()
    assert postman.said == ["firing"]
    await alerts.pass_time(64)
    (ended,) = await alerts.look()
    await alerts.send()
    assert (ended["state"], postman.said) == ("RESOLVED", ["firing", "resolved"])


async def test_losses_elsewhere_are_none_of_a_rules_business(alerts, runtime) -> None:
    await alerts.rule("TELEMETRY_DROPPED", environment="prod")
    await runtime.full()
    entry = alerts.plane.board.list_all()[0]
    sender = RuntimeSender(
        key_id=runtime.secret[:8],
        project_id=entry.project_id,
        integration_id=entry.integration_id,
        environment_id=entry.environment_id,
    )
    alerts.plane.intake.refuse(sender, 7, "too long")
    assert await alerts.look() == []


async def test_the_servers_own_certificate_is_found_before_it_ends_and_its_renewal_ends_the_alert(
    alerts, settings, postman
) -> None:
    await alerts.rule("EXPIRING", threshold=20, channels=[await alerts.channel()])
    await alerts.rule("EXPIRING", name="in one place", threshold=20, environment="dev")
    own = CertificateSettings(directory=settings.home / "tls")

    def served() -> None:
        """Do what a start does: make the certificate, or renew it a month before its end."""
        ensure(own, dt.datetime.fromtimestamp(alerts.clock.now(), dt.UTC))

    served()
    (shown,) = certificates(settings)
    alerts.clock.advance(shown.expires_at - alerts.clock.now() - 21 * 86_400)

    async def look() -> list[dict]:
        await alerts.plane.alerting.judge(QUICK)
        await alerts.admin.sign_in()
        return await alerts.list()

    assert await look() == []
    alerts.clock.advance(2 * 86_400)
    (found,) = await look()
    ends = dt.datetime.fromtimestamp(shown.expires_at, dt.UTC).date().isoformat()
    assert found["state"] == "FIRING"
    assert found["message"].startswith(f"The certificate {shown.name} ends at {ends}")
    assert found["value"] == 19.0
    served()
    (ended,) = await look()
    assert ended["state"] == "RESOLVED"


def test_a_loss_that_another_process_told_of_is_left_to_it_for_as_long_as_it_may_last() -> None:
    rule = Rule(id="r", name="lost", condition=AlertCondition.TELEMETRY_DROPPED, window_s=300)
    alert = Alert(subject="loss:i:e:r-1", state=AlertState.FIRING, message="", since=1_000.0, measured_at=1_000.0)

    def found(at: float) -> list[tuple[str, bool | None]]:
        told = measure_losses(rule, tuple, at, told_by_others=[alert])
        return [(one.subject, one.holds) for one in told.measurements]

    assert found(1_000.0 + 300 + REFRESH_S) == [("loss:i:e:r-1", None)]
    assert found(1_000.0 + 300 + REFRESH_S + 20) == []
