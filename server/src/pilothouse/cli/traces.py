"""`pilothouse traces`: which requests there were, and one of them as a waterfall."""

from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from pilothouse.base.errors import NotFound
from pilothouse.cli.output import NOTHING, Column, Form, clean
from pilothouse.cli.places import filled
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
    owner_of,
    scope_of,
)
from pilothouse.client import documents as ask

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

LIMIT: Final = 50
_WIDTH: Final = 120
"""Of a waterfall where no terminal tells."""
_BAR_MIN: Final = 10
_NAME_MAX: Final = 48
_COLUMNS: Final[tuple[Column, ...]] = (
    ("at", "span.at"),
    ("ms", lambda row: f"{row['span']['durationMs']:,.2f}"),
    ("failed", "span.failed"),
    ("service", "span.service"),
    ("span", "span.name"),
    ("where", lambda row: owner_of(row["span"]["origin"])),
    ("trace", "traceId"),
)

app = typer.Typer(no_args_is_help=False, cls=WithDefault)


@app.callback()
def group() -> None:
    """Traces: requests and what they led to. `pilothouse traces` alone lists them."""


@app.command("list")
@remote
def list_traces(
    session: Session,
    project: ProjectsOption = None,
    integration: IntegrationsOption = None,
    environment: EnvironmentsOption = None,
    runtime: RuntimesOption = None,
    since: SinceOption = None,
    begin: BeginOption = None,
    end: EndOption = None,
    service: Annotated[list[str] | None, typer.Option("--service", help="With a span of it; repeatable.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Part of a span's name.")] = None,
    failed: Annotated[
        bool | None, typer.Option("--failed/--succeeded", help="With a span that failed, or one that did not.")
    ] = None,
    slower_than: Annotated[
        float | None, typer.Option("--slower-than", min=0.0, help="With a span of so many milliseconds at least.")
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", help="Answered with it: 500, 5xx, a kind of error, none; repeatable."),
    ] = None,
    outbound: Annotated[bool, typer.Option("--outbound", help="Of --status: calls that were made.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=5000, help="So many at most.")] = LIMIT,
) -> None:
    """List traces, those with the newest matching span first."""
    scope = scope_of(
        session, project=project, integrations=integration, environments=environment, runtimes=runtime,
        since=since, begin=begin, end=end,
    )  # fmt: skip
    wanted = filled(
        scope=scope, services=service, name=name, failed=failed, durationMs=slower_than, statuses=status,
        outbound=outbound or None,
    )  # fmt: skip
    found = session.client.pages(ask.TRACES, "traces", filter=wanted, first=min(limit, 200))
    session.out.items(islice(found, limit), _COLUMNS, "traceId")


@app.command("show")
@remote
def show(
    session: Session,
    trace: Annotated[str, typer.Argument(help="Its id: 32 hexadecimal digits.")],
    wide: Annotated[bool, typer.Option("--wide", "-w", help="With the attributes of each span.")] = False,
) -> None:
    """Show a trace as a waterfall: what caused what, when, and for how long."""
    found: Json | None = session.client.ask(ask.TRACE, id=trace.lower())["trace"]
    if found is None:
        raise NotFound(f"There is no trace '{trace}', or you may not see it.", fix="See `pilothouse traces list`.")
    out = session.out
    if out.quiet or out.form is not Form.TABLE:
        out.item(found, ())
        return
    told = "failed" if found["failed"] else "succeeded"
    spans = found["spans"]
    out.console.print(
        Text(f"{found['id']}  {found['at']}  {found['durationMs']:,.2f} ms  {_spans(len(spans))}  ")
        + Text(told, style="red" if found["failed"] else "green")
    )
    width = out.console.width if out.console.is_terminal else _WIDTH
    plain = not out.console.encoding.lower().startswith("utf")
    for line in waterfall(spans, found["durationMs"], width, wide=wide, plain=plain):
        out.console.print(line)
    if found["left"]:
        out.note(f"{found['left']} more spans are not shown.")
    if not found["complete"]:
        out.note("It is not complete: spans are missing that were never sent, or that you may not see.")
    out.note(f"What was said meanwhile: pilothouse logs --trace {found['id']} --from {found['at']}")


def _spans(count: int) -> str:
    return f"{count} span{'' if count == 1 else 's'}"


def waterfall(
    spans: Sequence[Json], duration_ms: float, width: int, *, wide: bool = False, plain: bool = False
) -> list[Text]:
    """Draw spans, given in the order of a waterfall, as a tree with bars over the time of the trace."""
    labels = _labels(spans, plain=plain)
    wanted = min(max(map(len, labels), default=0), _NAME_MAX)
    services = [clean(span["service"] or NOTHING) for span in spans]
    beside = min(max(map(len, services), default=0), _NAME_MAX // 2)
    times = [f"{span['offsetMs']:,.2f} +{span['durationMs']:,.2f} ms" for span in spans]
    last = max(map(len, times), default=0)
    bar = max(_BAR_MIN, width - wanted - beside - last - 6)
    lines: list[Text] = []
    for span, label, service, told in zip(spans, labels, services, times, strict=True):
        style = "red" if span["failed"] else "cyan"
        line = Text(_cut(label, wanted).ljust(wanted), style="red" if span["failed"] else "")
        line.append(f"  {_cut(service, beside).ljust(beside)}  ", style="magenta")
        line.append(_bar(span, duration_ms, bar, "#" if plain else "█"), style=style)
        line.append(f"  {told.rjust(last)}")
        lines.append(line)
        if wide:
            inset = " " * (len(label) - len(label.lstrip(" │├└─|`-")) + 2)
            lines += [
                Text(f"{inset}{clean(each['key'])}={clean(each['value'])}", style="dim") for each in span["attributes"]
            ]
    return lines


def _bar(span: Json, duration_ms: float, width: int, block: str) -> str:
    whole = duration_ms or 1.0
    begin = min(width - 1, max(0, int(span["offsetMs"] / whole * width)))
    end = round((span["offsetMs"] + span["durationMs"]) / whole * width)
    length = max(1, min(width, end) - begin)
    return (" " * begin + block * length).ljust(width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _labels(spans: Sequence[Json], *, plain: bool) -> list[str]:
    """Write each span's name behind the branches that lead to it; a span whose parent is missing is a root."""
    known = {span["id"] for span in spans}
    parents = {span["id"]: span["parentId"] if span["parentId"] in known else None for span in spans}
    youngest: dict[str | None, str] = {parent: each for each, parent in parents.items()}
    fork, end, on = ("|- ", "`- ", "|  ") if plain else ("├─ ", "└─ ", "│  ")
    before: dict[str, str] = {}
    labels: list[str] = []
    for span in spans:
        parent = parents[span["id"]]
        if parent is None or parent not in before:
            before[span["id"]] = ""
            labels.append(clean(span["name"]))
            continue
        is_last = youngest[parent] == span["id"]
        labels.append(f"{before[parent]}{end if is_last else fork}{clean(span['name'])}")
        before[span["id"]] = before[parent] + ("   " if is_last else on)
    return labels
