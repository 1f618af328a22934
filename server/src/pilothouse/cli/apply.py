"""`pilothouse apply`, `diff`, `export` and `schema`: an organization kept as code."""

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.text import Text

from pilothouse.base.errors import PilothouseError
from pilothouse.cli.output import clean
from pilothouse.cli.places import YesOption
from pilothouse.cli.remote import Session, ask_or_refuse, remote
from pilothouse.client.apply.carry_out import Done, Executor
from pilothouse.client.apply.export import documents_of, to_yaml
from pilothouse.client.apply.fields import json_schema
from pilothouse.client.apply.model import Action, Plan, Step
from pilothouse.client.apply.plan import make_plan
from pilothouse.client.apply.present import Present, read_everything, read_present
from pilothouse.client.apply.reading import BYTES_MAX, Document, read_files, read_texts
from pilothouse.client.errors import CHANGES, FAILED

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

FilesOption = Annotated[
    list[Path],
    typer.Option("--file", "-f", help="A YAML file, a folder of them, or `-` for the standard input; repeatable."),
]
PruneOption = Annotated[
    bool, typer.Option("--prune", help="Take away members and mappings that groups with `exact: true` do not list.")
]
_SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.ADD: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.REMOVE: ("-", "red"),
}


def _read(files: list[Path]) -> list[Document]:
    if files == [Path("-")]:
        text = sys.stdin.buffer.read(BYTES_MAX + 1).decode("utf-8", "replace")
        return read_texts([("<standard input>", text)])
    return read_files(files)


def _planned(session: Session, files: list[Path], *, prune: bool) -> tuple[Plan, Present]:
    documents = _read(files)
    present = read_present(session.client, documents)
    return make_plan(documents, present.state, prune=prune), present


@remote
def diff(session: Session, file: FilesOption, prune: PruneOption = False) -> None:
    """Show what `apply` would do; ends with 0 when nothing is to change, with 9 when something is."""
    plan, _ = _planned(session, file, prune=prune)
    _show(session, plan)
    if session.out.quiet or not session.out.is_for_people:
        session.out.items([_row(step) for step in plan.steps], (), "what")
    if plan.steps:
        raise typer.Exit(CHANGES)


@remote
def apply(session: Session, file: FilesOption, prune: PruneOption = False, yes: YesOption = False) -> None:
    """Make the organization what the files describe: shows the plan, asks, and stops at the first failure."""
    plan, present = _planned(session, file, prune=prune)
    _show(session, plan)
    done: list[Done] = []
    if plan.steps:
        if not yes and not ask_or_refuse(session, "Apply this?", "Look at `pilothouse diff`, then add --yes."):
            raise typer.Exit(FAILED)
        _carry_out(session, plan, present, done)
    if session.out.is_for_people:
        session.out.line(f"Applied: {len(done)} changes." if done else "Nothing to change.")
    else:
        session.out.items([_row(each.step) | _password(each) for each in done], (), "what")


def _carry_out(session: Session, plan: Plan, present: Present, done: list[Done]) -> None:
    """Take the steps; whatever happens, what was done is told, and passwords that nobody can see again."""
    try:
        for each in Executor(session.client, present.ids).take(plan.steps):
            done.append(each)
            if session.out.is_for_people:
                session.out.line(f"done: {each.step.describe()}")
            if session.out.is_for_people or session.out.quiet:
                _show_once(session, each)
    except PilothouseError as error:
        failed = plan.steps[len(done)]
        if not session.out.is_for_people:
            session.out.items([_row(each.step) | _password(each) for each in done], (), "what")
        session.out.errors.print(
            Text(
                clean(
                    f"failed: {failed.describe()} ({failed.where}): {len(done)} of {len(plan.steps)} changes are done."
                )
            )
        )
        error.fix = error.fix or "Mend it and apply again: what is done stays done."
        raise


def _show_once(session: Session, done: Done) -> None:
    for what, secret in (("First password", done.one_time_password), ("Signing secret", done.signing_secret)):
        if secret is not None:
            session.out.errors.print(Text(f"{what} of {clean(done.step.key[0])}, shown once: {secret}"))


def _show(session: Session, plan: Plan) -> None:
    if session.out.is_for_people:
        for step in plan.steps:
            sign, style = _SIGNS[step.action]
            session.out.console.print(Text(f"{sign} {clean(step.describe())}", style=style))
            for detail in step.details():
                session.out.line(f"    {detail}")
        session.out.line(_summary(plan))
    for note in plan.notes:
        session.out.note(f"note: {note}")


def _summary(plan: Plan) -> str:
    if not plan.steps:
        return "Plan: no change."
    counts = {action: sum(step.action is action for step in plan.steps) for action in Action}
    made = counts[Action.CREATE] + counts[Action.ADD]
    return f"Plan: {made} to make, {counts[Action.UPDATE]} to change, {counts[Action.REMOVE]} to take away."


def _row(step: Step) -> Json:
    return {
        "action": step.action.value,
        "thing": step.thing.name,
        "key": list(step.key),
        "values": step.values,
        "was": step.was,
        "what": step.describe(),
        "where": step.where,
    }


def _password(done: Done) -> Json:
    shown = {"oneTimePassword": done.one_time_password, "signingSecret": done.signing_secret}
    return {name: secret for name, secret in shown.items() if secret is not None}


@remote
def export(session: Session) -> None:
    """Write what is there as YAML that applies to nothing."""
    session.out.console.file.write(to_yaml(documents_of(read_everything(session.client).state)))


def schema() -> None:
    """Write the JSON schema of the documents that `apply` reads."""
    typer.echo(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode())
