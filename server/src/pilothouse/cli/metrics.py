"""`pilothouse metrics`: requests, errors and latencies, as a table, as series, or watched."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pilothouse.cli.output import NOTHING, Form, clean
from pilothouse.cli.places import filled, seconds
from pilothouse.cli.remote import Session, remote
from pilothouse.cli.scopes import (
    BeginOption,
    EndOption,
    EnvironmentsOption,
    IntegrationsOption,
    ProjectsOption,
    RuntimesOption,
    SinceOption,
    WithDefault,
    handle_of,
    scope_of,
)
from pilothouse.client import documents as ask
from pilothouse.client.errors import Misused

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

DIMENSIONS: Final = ("project", "integration", "environment", "runtime", "service", "resource", "status")
USUAL: Final = "integration,service,resource"
BY_MAX: Final = 3
STEP_MIN_S: Final = 60
PERCENTILES: Final = (0.5, 0.9, 0.95, 0.99)
_REQUESTS: Final = "http.server.request.duration"
_CALLS: Final = "http.client.request.duration"
_BARS: Final = "▁▂▃▄▅▆▇█"
_PLAIN_BARS: Final = "_.-=+*#@"
_ERRORS_TELLING: Final = 0.01
"""From this share of errors on a row is coloured."""
_MS: Final = 1000.0

app = typer.Typer(no_args_is_help=False, cls=WithDefault)


@app.callback()
def group() -> None:
    """Metrics: requests, errors and latencies. `pilothouse metrics` alone shows them as a table."""


def dimensions_of(text: str) -> list[str]:
    """Read `integration,service`.

    Raises: Misused
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in DIMENSIONS:
            raise Misused(f"--by: there is no '{name}'.", fix=f"Known: {', '.join(DIMENSIONS)}.")
    if len(names) > BY_MAX or len(set(names)) != len(names):
        raise Misused(f"--by takes up to {BY_MAX} different names.", fix=f"Write --by {USUAL}.")
    return names


def step_of(text: str | None) -> int | None:
    """Read the length of a step: whole minutes. Units: s.

    Raises: Misused
    """
    if text is None:
        return None
    found = seconds(text, "--step")
    if not found or found % STEP_MIN_S:
        raise Misused(f"--step: '{text}' is not a number of whole minutes.", fix="Write 1m, 5m, 1h.")
    return found


@app.command("show")
@remote
def show(
    session: Session,
    project: ProjectsOption = None,
    integration: IntegrationsOption = None,
    environment: EnvironmentsOption = None,
    runtime: RuntimesOption = None,
    since: SinceOption = None,
    begin: BeginOption = None,
    end: EndOption = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="Of this service; repeatable.")] = None,
    resource: Annotated[
        list[str] | None, typer.Option("--resource", help="Of this one, `GET /orders`; repeatable.")
    ] = None,
    outbound: Annotated[
        bool, typer.Option("--outbound", help="Calls that are made, not those that are answered.")
    ] = False,
    name: Annotated[str | None, typer.Option("--name", help="Another metric: see `metrics names`.")] = None,
    by: Annotated[str, typer.Option("--by", help=f"Up to three of {', '.join(DIMENSIONS)}.")] = USUAL,
    step: Annotated[str | None, typer.Option("--step", help="As series with steps of 1m, 5m, 1h.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew, until Ctrl-C.")] = False,
    interval: Annotated[str, typer.Option("--interval", help="Of --watch: how often.")] = "5s",
) -> None:
    """Show requests, rate, errors and latencies, the busiest first; what is unknown is `-`, never 0."""
    chosen, step_s, pause_s = dimensions_of(by), step_of(step), seconds(interval, "--interval")
    if not pause_s:
        raise Misused("--interval: it must be a second at least.", fix="Write --interval 5s.")

    def read() -> Json:
        scope = scope_of(
            session, project=project, integrations=integration, environments=environment, runtimes=runtime,
            since=since, begin=begin, end=end,
        )  # fmt: skip
        return session.client.ask(
            ask.METRICS,
            filter=filled(scope=scope, services=service, resources=resource, outbound=outbound or None),
            name=name or (_CALLS if outbound else _REQUESTS),
            by=[each.upper() for each in chosen],
            stepS=step_s,
            percentiles=list(PERCENTILES),
        )["metrics"]

    if watch:
        _watch(session, read, chosen, pause_s)
    else:
        _write(session, read(), chosen)


@app.command("names")
@remote
def list_names(
    session: Session,
    project: ProjectsOption = None,
    integration: IntegrationsOption = None,
    environment: EnvironmentsOption = None,
    runtime: RuntimesOption = None,
    since: SinceOption = None,
    begin: BeginOption = None,
    end: EndOption = None,
) -> None:
    """List the names of the metrics that arrived."""
    scope = scope_of(
        session, project=project, integrations=integration, environments=environment, runtimes=runtime,
        since=since, begin=begin, end=end,
    )  # fmt: skip
    names = session.client.ask(ask.METRIC_NAMES, scope=scope)["metricNames"]
    session.out.items([{"name": each} for each in names], (("name", "name"),), "name")


def _watch(session: Session, read: Callable[[], Json], by: Sequence[str], pause_s: int) -> None:
    out = session.out
    if not (out.is_for_people and out.console.is_terminal):
        while True:
            _write(session, read(), by)
            time.sleep(pause_s)
    with Live(console=out.console, auto_refresh=False, screen=False) as live:
        while True:
            live.update(_shown(session, read(), by), refresh=True)
            time.sleep(pause_s)


def _write(session: Session, answer: Json, by: Sequence[str]) -> None:
    out = session.out
    if out.quiet:
        for series in answer["series"]:
            out.line(" ".join(_key(series, by)))
    elif out.form is not Form.TABLE:
        out.data(answer)
    elif not answer["series"]:
        out.note("Nothing is known of this time.")
    else:
        out.console.print(_shown(session, answer, by), soft_wrap=False)
        if answer["left"]:
            out.note(f"{answer['left']} more are not shown: narrow it down with --project, --service or --resource.")


def _shown(session: Session, answer: Json, by: Sequence[str]) -> Group:
    bars = _BARS if session.out.console.encoding.lower().startswith("utf") else _PLAIN_BARS
    of_steps = answer["stepS"] is not None
    table = Table(box=None, pad_edge=False, header_style="bold")
    for each in by:
        table.add_column(each.upper(), overflow="fold")
    for heading in ("REQUESTS", "RATE/S", "ERRORS", *(f"P{round(share * 100)} MS" for share in PERCENTILES)):
        table.add_column(heading, justify="right", no_wrap=True)
    if of_steps:
        table.add_column("RATE", no_wrap=True)
        table.add_column("P95", no_wrap=True)
    for series in answer["series"]:
        total = series["total"]
        cells = [*_key(series, by), *_cells(total)]
        if of_steps:
            cells += [
                sparkline([_rate(at) for at in series["steps"]], bars),
                sparkline([_p95(at) for at in series["steps"]], bars),
            ]
        style = "red" if (total["errorRate"] or 0) >= _ERRORS_TELLING else ""
        table.add_row(*(Text(cell, style=style) for cell in cells))
    step = f", steps of {answer['stepS']} s" if of_steps else ""
    return Group(Text(f"{answer['name']}  {answer['from']} to {answer['to']}{step}", style="dim"), table)


def _key(series: Json, by: Sequence[str]) -> list[str]:
    told: list[str] = []
    for each, value in zip(by, series["key"], strict=True):
        if each in {"project", "integration", "environment"}:
            told.append(handle_of(series, each) or str(value or NOTHING))
        elif each == "runtime":
            runtime: Json | None = series["runtime"]
            told.append(str((runtime and runtime["name"]) or value or NOTHING))
        else:
            told.append(str(value or NOTHING))
    return [clean(each) for each in told]


def _cells(step: Json) -> list[str]:
    figures: Json | None = step["all"]
    if figures is None:
        return [NOTHING] * (3 + len(PERCENTILES))
    share: float | None = step["errorRate"]
    told = {round(each["of"], 6): each["value"] for each in figures["percentiles"]}
    return [
        f"{figures['count']:,.0f}",
        f"{figures['rate']:,.2f}",
        NOTHING if share is None else f"{share * 100:.2f} %",
        *(milliseconds(told.get(of)) for of in PERCENTILES),
    ]


def milliseconds(value_s: float | None) -> str:
    """Write seconds as milliseconds, three digits that count; what is unknown is not zero."""
    if value_s is None:
        return NOTHING
    value = value_s * _MS
    digits = 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004 - three digits that count
    return f"{value:,.{digits}f}"


def _rate(step: Json) -> float | None:
    figures: Json | None = step["all"]
    return None if figures is None else float(figures["rate"])


def _p95(step: Json) -> float | None:
    figures: Json | None = step["all"]
    found = [each["value"] for each in figures["percentiles"] if abs(each["of"] - 0.95) < 1e-9] if figures else []  # noqa: PLR2004 - rounding
    return found[0] if found else None


def sparkline(values: Sequence[float | None], bars: str = _BARS) -> str:
    """Draw values as bars, the greatest the highest one; what is unknown is a gap, zero the lowest bar."""
    top = max((value for value in values if value is not None), default=0.0)
    last = len(bars) - 1
    return "".join(
        " " if value is None else bars[0] if top <= 0 else bars[round(max(0.0, value) / top * last)] for value in values
    )
