"""`pilothouse logs download`: every line that matches, however many, as it comes."""

import contextlib
import sys
from collections.abc import Generator, Iterable
from enum import StrEnum, unique
from pathlib import Path
from typing import Annotated, Any, BinaryIO, cast
from urllib.parse import urlencode

import typer

from pilothouse.cli.logs import (
    AttributeOption,
    CaseOption,
    GrepOption,
    LevelOption,
    LoggerOption,
    OutboundOption,
    RegexOption,
    StatusOption,
    TokenOption,
    TraceOption,
    UnclaimedOption,
    app,
    filter_of,
)
from pilothouse.cli.remote import Session, remote
from pilothouse.cli.scopes import (
    BeginOption,
    EndOption,
    EnvironmentsOption,
    IntegrationsOption,
    ProjectsOption,
    RuntimesOption,
    SinceOption,
    scope_of,
)
from pilothouse.client.errors import Misused

__all__ = ["app", "download"]

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

_PATH = "/api/v1/logs"
_PARAMETERS = {
    "project": "project",
    "integrations": "integration",
    "environments": "environment",
    "runtimes": "runtime",
    "runtimeIds": "runtimeId",
    "unclaimed": "unclaimed",
    "from": "from",
    "to": "to",
    "levels": "level",
    "phrase": "phrase",
    "ignoreCase": "ignoreCase",
    "token": "word",
    "regex": "regex",
    "traceId": "traceId",
    "logger": "logger",
    "statuses": "status",
    "outbound": "outbound",
}
"""What the address calls the parts of a filter."""


@unique
class DownloadForm(StrEnum):
    """How downloaded lines are written."""

    TEXT = "text"
    JSONL = "jsonl"
    CSV = "csv"


def query_of(wanted: Json | None, form: DownloadForm) -> list[tuple[str, str]]:
    """Write a filter as the names and values of an address."""
    whole: Json = wanted or {}
    scope: Json = whole.get("scope") or {}
    pairs = [("format", form.value)]
    for name, value in {**scope, **whole}.items():
        if name == "attributes":
            pairs += [("attribute", f"{each['key']}={each['value']}") for each in value]
        elif name in _PARAMETERS:
            values = cast("list[object]", value) if isinstance(value, list) else [value]
            pairs += [(_PARAMETERS[name], _said(each)) for each in values]
    return pairs


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@app.command("download")
@remote
def download(
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
    file: Annotated[Path | None, typer.Option("--file", help="Into this file, which must not exist yet.")] = None,
    output: Annotated[DownloadForm, typer.Option("--output", "-o", help="How lines are written.")] = DownloadForm.TEXT,
) -> None:
    """Download every line that matches, oldest first; a file is there when all of it came."""
    scope = scope_of(
        session, project=project, integrations=integration, environments=environment, runtimes=runtime,
        since=since, begin=begin, end=end, unclaimed=unclaimed,
    )  # fmt: skip
    wanted = filter_of(
        scope, level=level, grep=grep, case_sensitive=case_sensitive, token=token, regex=regex, logger=logger,
        attribute=attribute, trace=trace, status=status, outbound=outbound,
    )  # fmt: skip
    path = f"{_PATH}?{urlencode(query_of(wanted, output))}"
    with target_of(file) as target, session.client.stream("GET", path, accept="*/*") as response:
        size = _copy(response.iter_bytes(), target)
    if file is not None:
        session.out.note(f"Downloaded {size:,} octets to {file}.")


def _copy(pieces: Iterable[bytes], target: BinaryIO) -> int:
    size = 0
    for piece in pieces:
        target.write(piece)
        size += len(piece)
    target.flush()
    return size


@contextlib.contextmanager
def target_of(file: Path | None) -> Generator[BinaryIO]:
    """Open where a download goes. A file gets its name at the end; what broke off before leaves none.

    Raises: Misused
    """
    if file is None:
        yield sys.stdout.buffer
        return
    part = file.with_name(f"{file.name}.part")
    if file.exists():
        raise Misused(f"{file} is there already.", fix="Name a file that is not there yet.")
    try:
        target = part.open("xb")
    except OSError as error:
        raise Misused(f"{part} cannot be written: {error.strerror}.", fix="Name another file, or remove it.") from error
    try:
        with target:
            yield target
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)
