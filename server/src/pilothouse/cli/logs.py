"""`pilothouse logs`: what runtimes said, as it is said, around a line, and all of it into a file."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from pilothouse.cli.log_lines import LEVELS, LogForm, Writer
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
    scope_of,
)
from pilothouse.client import documents as ask
from pilothouse.client.errors import Misused
from pilothouse.client.graphql import Client

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

LIMIT = 100
LIMIT_FOLLOWING = 10
"""Lines from before that a follower is shown first."""
LIMIT_MAX = 10_000
"""More than that is a download."""
LIMIT_WITH_CONTEXT = 20
LIMIT_WITH_CONTEXT_MAX = 200
"""Each match is a question of its own."""
CONTEXT_MAX = 500
_PAGE = 200

app = typer.Typer(no_args_is_help=False, cls=WithDefault)
_PANEL = "Which lines"
LevelOption = Annotated[
    list[str] | None,
    typer.Option("--level", help="`error`, or with all that is graver: `warn+`; repeatable.", rich_help_panel=_PANEL),
]
GrepOption = Annotated[
    str | None, typer.Option("--grep", "-g", help="Anywhere in the message.", rich_help_panel=_PANEL)
]
CaseOption = Annotated[
    bool, typer.Option("--case-sensitive", help="Of --grep: upper and lower case differ.", rich_help_panel=_PANEL)
]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", help="A whole word, number or identifier; found by an index.", rich_help_panel=_PANEL),
]
RegexOption = Annotated[
    str | None, typer.Option("--regex", help="An expression (RE2) over the message.", rich_help_panel=_PANEL)
]
LoggerOption = Annotated[
    str | None, typer.Option("--logger", help="Said by this logger, module or class.", rich_help_panel=_PANEL)
]
AttributeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute", "-a", help="`key=value`: has it with just this value; repeatable.", rich_help_panel=_PANEL
    ),
]
StatusOption = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        help="Of requests answered with it: 500, 5xx, a kind of error, none; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
OutboundOption = Annotated[
    bool, typer.Option("--outbound", help="Of --status: of calls that were made.", rich_help_panel=_PANEL)
]
TraceOption = Annotated[str | None, typer.Option("--trace", help="Of this trace id.", rich_help_panel=_PANEL)]
UnclaimedOption = Annotated[
    bool, typer.Option("--unclaimed", help="Only what no runtime can be found for.", rich_help_panel=_PANEL)
]


@app.callback()
def group() -> None:
    """Logs: what runtimes said. `pilothouse logs` alone lists them; `-f` follows them."""


def levels_of(named: list[str] | None) -> list[str] | None:
    """Read `error` as one level and `warn+` as that one with all that is graver.

    Raises: Misused
    """
    if not named:
        return None
    found: set[str] = set()
    for text in named:
        name = text.rstrip("+").upper()
        if name not in LEVELS:
            raise Misused(f"--level: there is no level '{text}'.", fix=f"Known: {', '.join(LEVELS).lower()}.")
        at = LEVELS.index(name)
        found.update(LEVELS[at:] if text.endswith("+") else [name])
    return [level for level in LEVELS if level in found]


def attributes_of(pairs: list[str] | None) -> list[Json] | None:
    """Read `key=value`; the key ends at the first `=`.

    Raises: Misused
    """
    found: list[Json] = []
    for pair in pairs or []:
        key, sign, value = pair.partition("=")
        if not (key and sign):
            raise Misused(f"--attribute: '{pair}' is no pair.", fix="Write key=value.")
        found.append({"key": key, "value": value})
    return found or None


def read_newest(client: Client, wanted: Json | None, limit: int) -> tuple[list[Json], str | None, bool]:
    """Read the newest lines that match: oldest first, where to follow on, and whether there are more.

    The mark to follow on from is the first page's: what arrived while further pages were read is followed, too.
    """
    lines: list[Json] = []
    after: str | None = None
    mark: str | None = None
    while True:
        page = client.ask(
            ask.LOGS, filter=wanted, newestFirst=True, first=min(_PAGE, max(1, limit - len(lines))), after=after
        )["logs"]
        mark = mark or page["arrival"]
        lines += page["nodes"]
        more = page["pageInfo"]["hasNextPage"]
        if not more or len(lines) >= limit:
            return lines[:limit][::-1], mark, more or len(lines) > limit
        after = page["pageInfo"]["endCursor"]


@app.command("list")
@remote
def list_logs(
    session: Session,
    project: ProjectsOption = None,
    integration: IntegrationsOption = None,
    environment: EnvironmentsOption = None,
    runtime: RuntimesOption = None,
    since: SinceOption = None,
    begin: BeginOption = None,
    end: EndOption = None,
    level: LevelOption = None,
    grep: GrepOption = None,
    case_sensitive: CaseOption = False,
    token: TokenOption = None,
    regex: RegexOption = None,
    logger: LoggerOption = None,
    attribute: AttributeOption = None,
    trace: TraceOption = None,
    status: StatusOption = None,
    outbound: OutboundOption = False,
    unclaimed: UnclaimedOption = False,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=0, max=LIMIT_MAX, help="The newest so many: 100; 10 with -f.")
    ] = None,
    context: Annotated[
        int | None, typer.Option("--context", "-C", min=0, max=CONTEXT_MAX, help="So many lines around each, too.")
    ] = None,
    wide: Annotated[bool, typer.Option("--wide", "-w", help="With runtime, trace and attributes.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines arrive, until Ctrl-C.")] = False,
    output: Annotated[LogForm, typer.Option("--output", "-o", help="How lines are written.")] = LogForm.TEXT,
) -> None:
    """List log lines, the newest last."""
    check_together(follow=follow, context=context, end=end, limit=limit, status=status)
    scope = scope_of(
        session,
        project=project,
        integrations=integration,
        environments=environment,
        runtimes=runtime,
        since=since,
        begin=begin,
        end=end,
        unclaimed=unclaimed,
    )
    wanted = filter_of(
        scope, level=level, grep=grep, case_sensitive=case_sensitive, token=token, regex=regex, logger=logger,
        attribute=attribute, trace=trace, status=status, outbound=outbound,
    )  # fmt: skip
    writer = Writer(session.out, output, wide=wide)
    if follow:
        follow_lines(session, wanted, writer, LIMIT_FOLLOWING if limit is None else limit)
        return
    usual = LIMIT_WITH_CONTEXT if context is not None else LIMIT
    count = usual if limit is None else limit
    lines, _, more = read_newest(session.client, wanted, count)
    if context is not None:
        write_around(session.client, lines, context, writer)
    else:
        writer.listed(lines)
    if more:
        session.out.note(
            f"Older ones match, too: add --limit, or take all with `pilothouse logs download`. Shown: {count}."
        )


def check_together(
    *, follow: bool, context: int | None, end: str | None, limit: int | None, status: list[str] | None
) -> None:
    """Refuse what does not go together.

    Raises: Misused
    """
    if follow and context is not None:
        raise Misused("What stands around a line that just arrived is not known yet.", fix="Leave out --context or -f.")
    if follow and end is not None:
        raise Misused("--follow goes on until it is interrupted.", fix="Leave out --to or -f.")
    if follow and status:
        raise Misused(
            "What a request is answered with is known when it is over, and its lines come before.",
            fix="Leave out --status or -f.",
        )
    if context is not None and (limit or 0) > LIMIT_WITH_CONTEXT_MAX:
        raise Misused(
            f"With --context at most {LIMIT_WITH_CONTEXT_MAX} matches are shown.", fix="Give a smaller --limit."
        )


def filter_of(
    scope: Json | None,
    *,
    level: list[str] | None,
    grep: str | None,
    case_sensitive: bool,
    token: str | None,
    regex: str | None,
    logger: str | None,
    attribute: list[str] | None,
    trace: str | None,
    status: list[str] | None,
    outbound: bool,
) -> Json | None:
    """Write a filter as the API takes it.

    Raises: Misused
    """
    return filled(
        scope=scope,
        levels=levels_of(level),
        phrase=grep or None,
        ignoreCase=False if case_sensitive else None,
        token=token or None,
        regex=regex or None,
        logger=logger or None,
        attributes=attributes_of(attribute),
        traceId=trace.lower() if trace else None,
        statuses=status or None,
        outbound=outbound or None,
    )


def follow_lines(session: Session, wanted: Json | None, writer: Writer, limit: int) -> None:
    """Write the newest lines, then each that arrives; a broken connection goes on where it was, nothing lost or repeated."""
    lines, mark, _ = read_newest(session.client, wanted, limit)
    for line in lines:
        writer.line(line)
    shown = {line["id"] for line in lines}
    whole: Json = wanted or {}
    scope: Json = whole.get("scope") or {}
    timeless = {name: scope[name] for name in scope if name != "from"}  # a line may arrive late
    arriving = filled(**{**whole, "scope": timeless or None})
    variables = {"filter": arriving, "after": mark}
    for part in session.client.follow(ask.LOG_TAILED, "logTailed", variables, session.note_break, mark="arrival"):
        for line in part["lines"]:
            if line["id"] not in shown:
                writer.line(line)
        if part["skipped"]:
            session.out.note(f"{part['skipped']} lines were skipped: more arrive than can be followed. Narrow it down.")


def write_around(client: Client, lines: Iterable[Json], count: int, writer: Writer) -> None:
    """Write each line with what the same runtime said before and after it; what stands around two is written once."""
    matches = {line["id"]: line for line in lines}
    shown: set[str] = set()
    together: list[Json] = []
    for match in matches.values():
        around = client.ask(ask.LOG_CONTEXT, id=match["id"], before=count, after=count)["logContext"]
        group = [match] if around is None else [*around["before"], around["line"], *around["after"]]
        fresh = [{**line, "matched": line["id"] in matches} for line in group if line["id"] not in shown]
        together.append({"lines": fresh, "joins": len(fresh) < len(group)})
        shown.update(line["id"] for line in group)
    if writer.is_one_document:
        writer.listed(line for each in together for line in each["lines"])
        return
    for at, each in enumerate(together):
        if at and not each["joins"]:
            writer.separator()
        for line in each["lines"]:
            writer.line(line)
    if not together:
        writer.listed([])
