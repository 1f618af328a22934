"""`pilothouse audit`: whether the audit records are what they were."""

# The server is imported by the commands that need it, so that those that ask a control plane start sooner.

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilothouse.base.errors import InvalidInput
from pilothouse.config import load
from pilothouse.domain.audit import Link

if TYPE_CHECKING:
    from pilothouse.operations.auditing import AuditVerdict

app = typer.Typer(no_args_is_help=True)
_EXPECTED = re.compile(r"([1-9][0-9]{0,17}):(\S{1,64})")


@app.callback()
def group() -> None:
    """The audit records, as they lie in the database of this machine."""


@app.command("verify")
def verify_chain(
    expect: Annotated[
        str | None,
        typer.Option(
            "--expect", help="<number>:<digest> of a record, noted elsewhere earlier: it must still be there."
        ),
    ] = None,
    home: Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")] = None,
) -> None:
    """Walk along the chain of all audit records. Works while the control plane runs, and changes nothing."""
    from pilothouse.app.database import require_database
    from pilothouse.operations.auditing import verify
    from pilothouse.storage.alone import reading

    pinned = None if expect is None else _read(expect)
    settings = load(home=None if home is None else home.expanduser().absolute())
    require_database(settings)
    with reading(settings.database.patient) as connection:
        verdict = verify(connection, pinned)
    _tell(verdict)


def _tell(verdict: "AuditVerdict") -> None:
    from pilothouse.operations.auditing import AuditBroken

    if not verdict.intact:
        raise AuditBroken(
            f"The audit is not intact: {verdict.message}",
            fix="Compare the database with a backup; the records up to there can be trusted as far as the one before.",
        )
    typer.echo(f"intact: {verdict.message}")
    typer.echo(f"note elsewhere: --expect {verdict.head.number}:{verdict.head.digest}")


def _read(expect: str) -> Link:
    found = _EXPECTED.fullmatch(expect.strip())
    if found is None:
        raise InvalidInput(
            f"'{expect[:80]}' is not a record's number and digest.",
            field="--expect",
            fix="Write <number>:<digest>, as `pilothouse audit verify` and the log (audit.head) tell them.",
        )
    return Link(number=int(found[1]), digest=found[2])
