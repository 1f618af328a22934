"""`pilothouse alerts`: what is wrong, what is watched, who is told, and who is not for a while."""

from enum import StrEnum
from typing import Annotated

import typer

from pilothouse.cli.output import Column
from pilothouse.cli.places import (
    EnvironmentOption,
    IntegrationOption,
    ProjectOption,
    YesOption,
    check_place,
    filled,
    instant,
    past_instant,
    seconds,
)
from pilothouse.cli.remote import Session, remote
from pilothouse.client import documents as ask

app = typer.Typer(no_args_is_help=True)
rules = typer.Typer(no_args_is_help=True)
channels = typer.Typer(no_args_is_help=True)
silences = typer.Typer(no_args_is_help=True)


class State(StrEnum):
    """What has become of an alert."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Condition(StrEnum):
    """What a rule watches."""

    RUNTIME_OFFLINE = "runtime-offline"
    REPLICAS_BELOW = "replicas-below"
    ERROR_RATE = "error-rate"
    LATENCY = "latency"
    LOG_PATTERN = "log-pattern"
    NO_TRAFFIC = "no-traffic"
    EXPIRING = "expiring"
    TELEMETRY_DROPPED = "telemetry-dropped"


class Severity(StrEnum):
    """How grave an alert of a rule is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


_PLACE: tuple[Column, ...] = (
    ("project", "project.handle"),
    ("integration", "integration.handle"),
    ("environment", "environment.handle"),
)
_ALERTS: tuple[Column, ...] = (
    ("since", "since"),
    ("state", "state"),
    ("severity", "severity"),
    ("rule", "rule.name"),
    *_PLACE,
    ("message", "message"),
    ("id", "id"),
)
_RULES: tuple[Column, ...] = (
    ("name", "name"),
    ("condition", "condition"),
    ("severity", "severity"),
    *_PLACE,
    ("threshold", "threshold"),
    ("firing", "firing"),
    ("enabled", "enabled"),
    ("trouble", "trouble"),
    ("id", "id"),
)
_CHANNELS: tuple[Column, ...] = (
    ("name", "name"),
    ("kind", "kind"),
    ("target", "target"),
    ("last sent", "lastSentAt"),
    ("last failure", "lastFailure"),
    ("id", "id"),
)
_SILENCES: tuple[Column, ...] = (
    ("from", "from"),
    ("to", "to"),
    ("rule", "rule.name"),
    *_PLACE,
    ("reason", "reason"),
    ("by", "createdBy"),
    ("id", "id"),
)
_RuleOption = Annotated[str | None, typer.Option("--rule", help="Id of a rule.")]


@app.callback()
def group() -> None:
    """Alerts: what fires, the rules, the channels that tell of it, and silences."""


@rules.callback()
def rules_group() -> None:
    """What is watched."""


@channels.callback()
def channels_group() -> None:
    """Where alerts are told. `pilothouse apply` makes them: what is secret of them belongs into no command line."""


@silences.callback()
def silences_group() -> None:
    """When nobody is told."""


@app.command("list")
@remote
def list_alerts(
    session: Session,
    state: Annotated[list[State] | None, typer.Option("--state", help="Those that fire, unless named.")] = None,
    rule: _RuleOption = None,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
    since: Annotated[str | None, typer.Option("--since", help="An instant, or a duration: 7d.")] = None,
) -> None:
    """List alerts, newest first; `--state resolved` reads the history."""
    check_place(project, integration)
    wanted = filled(
        states=[each.name for each in state or (State.FIRING,)],
        rule=rule,
        project=project,
        integration=integration,
        environment=environment,
        **{"from": past_instant(since, "--since")},
    )
    session.out.items(session.client.pages(ask.ALERTS, "alerts", filter=wanted), _ALERTS)


@rules.command("list")
@remote
def list_rules(
    session: Session, search: Annotated[str | None, typer.Option("--search", help="Part of a name.")] = None
) -> None:
    """List rules."""
    session.out.items(session.client.pages(ask.ALERT_RULES, "alertRules", search=search), _RULES)


@rules.command("save")
@remote
def save_rule(
    session: Session,
    name: Annotated[str, typer.Argument(help="What it is called.")],
    condition: Annotated[Condition, typer.Option("--condition", help="What is watched.")],
    severity: Annotated[Severity, typer.Option("--severity", help="How grave it is.")] = Severity.WARNING,
    rule: Annotated[str | None, typer.Option("--id", help="Changes the rule with this id.")] = None,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="See `docs/howto/be-told-of-trouble.md`.")
    ] = None,
    percentile: Annotated[float | None, typer.Option("--percentile", help="Of a latency: 0.95.")] = None,
    window: Annotated[str | None, typer.Option("--window", help="The time that is looked at: 5m.")] = None,
    pattern: Annotated[str | None, typer.Option("--pattern", help="Of log lines, in RE2.")] = None,
    lasting: Annotated[str | None, typer.Option("--for", help="How long it must hold: 2m.")] = None,
    critical: Annotated[
        bool | None, typer.Option("--critical-only/--any-environment", help="Critical environments alone, or all.")
    ] = None,
    remind: Annotated[str | None, typer.Option("--remind", help="Said again after this time: 4h.")] = None,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="Id of a channel; may be repeated.")] = None,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Whether it is judged.")] = True,
) -> None:
    """Make a rule, or change one."""
    check_place(project, integration)

    def span(text: str | None, option: str) -> int | None:
        return None if text is None else seconds(text, option)

    wanted = filled(
        id=rule,
        name=name,
        condition=condition.name,
        severity=severity.name,
        enabled=enabled,
        project=project,
        integration=integration,
        environment=environment,
        criticalOnly=critical,
        threshold=threshold,
        percentile=percentile,
        windowS=span(window, "--window"),
        pattern=pattern,
        forS=span(lasting, "--for"),
        remindS=span(remind, "--remind"),
        channels=channel or [],
    )
    saved = session.client.ask(ask.SAVE_ALERT_RULE, input=wanted)["saveAlertRule"]
    session.out.done(saved, f"Rule {saved['name']} is saved.", "id")


@rules.command("delete")
@remote
def delete_rule(session: Session, rule: Annotated[str, typer.Argument(help="Its id.")], yes: YesOption = False) -> None:
    """Delete a rule; what it found is resolved."""
    if not yes:
        typer.confirm(f"Delete rule {rule}?", abort=True, err=True)
    gone = session.client.ask(ask.DELETE_ALERT_RULE, id=rule)["deleteAlertRule"]
    session.out.done(gone, f"Rule {gone['name']} is deleted.")


@channels.command("list")
@remote
def list_channels(session: Session) -> None:
    """List channels, never what is secret of them."""
    session.out.items(session.client.pages(ask.ALERT_CHANNELS, "alertChannels"), _CHANNELS)


@channels.command("test")
@remote
def check_channel(session: Session, channel: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Send a message that says it is a test, and tell the outcome."""
    tried = session.client.ask(ask.TEST_ALERT_CHANNEL, id=channel)["testAlertChannel"]
    session.out.done(tried, "Sent." if tried["state"] == "SENT" else f"Not sent: {tried['reason']}")
    if tried["state"] != "SENT":
        raise typer.Exit(1)


@silences.command("list")
@remote
def list_silences(
    session: Session, ended: Annotated[bool, typer.Option("--ended", help="Those that are over, too.")] = False
) -> None:
    """List silences."""
    session.out.items(session.client.pages(ask.ALERT_SILENCES, "alertSilences", includeEnded=ended), _SILENCES)


@silences.command("begin")
@remote
def begin_silence(
    session: Session,
    reason: Annotated[str, typer.Argument(help="Why; others read it.")],
    until: Annotated[str, typer.Option("--until", help="An instant, or a duration: 2h.")],
    rule: _RuleOption = None,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
) -> None:
    """Tell nobody for a while, of a rule or of everything in a place."""
    check_place(project, integration)
    wanted = filled(
        rule=rule,
        project=project,
        integration=integration,
        environment=environment,
        reason=reason,
        to=instant(until, "--until"),
    )
    begun = session.client.ask(ask.SILENCE_ALERTS, input=wanted)["silenceAlerts"]
    session.out.done(begun, f"Silent until {begun['to']}.", "id")


@silences.command("end")
@remote
def end_silence(session: Session, silence: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """End a silence."""
    ended = session.client.ask(ask.END_ALERT_SILENCE, id=silence)["endAlertSilence"]
    session.out.done(ended, "Alerts are told again.")


app.add_typer(rules, name="rules")
app.add_typer(channels, name="channels")
app.add_typer(silences, name="silences")
