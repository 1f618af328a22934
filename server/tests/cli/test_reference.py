"""The reference pages say what the command line does."""

import re
from pathlib import Path

import pytest
import yaml
from pilothouse.base.errors import Conflict, NotFound, NotPermitted, NotSignedIn, PilothouseError, Unavailable
from pilothouse.cli.main import app
from pilothouse.client.apply.reading import read_files, read_texts
from pilothouse.client.errors import ControlPlaneRefused, status_of
from reference import DOCS, PAGES, filled_in
from typer.main import get_command

EVERYWHERE = {"context", "url", "ca_file", "output", "quiet", "no_color"}
LOCAL = {"up", "serve", "tls", "admin", "db", "schema", "verify", "rotate-key"}


def commands(command: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    below = getattr(command, "commands", None)
    if below is None:
        return [(path, command)]
    return [found for name, each in below.items() for found in commands(each, (*path, name))]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_the_parts_that_are_made_from_the_code_are_current(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")

    assert filled_in(page, text) == text, "run: python server/tests/cli/reference.py"


def test_the_page_of_commands_is_made_from_every_command_with_every_option() -> None:
    assert "```{pilothouse-commands}" in (DOCS / "cli.md").read_text(encoding="utf-8")
    conf = (DOCS.parent / "conf.py").read_text(encoding="utf-8")
    assert "_walk(get_command(app), ())" in conf


def test_every_command_says_what_it_does_and_every_option_what_it_is_for() -> None:
    for path, command in commands(get_command(app)):
        assert command.help, path
        for parameter in command.params:
            if parameter.name != "help":
                assert parameter.help, (path, parameter.name)


def test_every_command_that_asks_a_control_plane_takes_the_same_options() -> None:
    for path, command in commands(get_command(app)):
        if not LOCAL & set(path) and path not in {("backup",), ("restore",)}:
            assert {parameter.name for parameter in command.params} >= EVERYWHERE, path


def test_the_commands_of_the_pages_are_there() -> None:
    known = {path for path, _ in commands(get_command(app))}
    for page in ("howto/use-the-command-line.md", "howto/manage-as-code.md"):
        text = (DOCS.parent / page).read_text(encoding="utf-8")
        for line in re.findall(r"pilothouse ((?:[a-z][a-z-]+ ?)+)", text):
            words = line.split()
            assert any(tuple(words[:length]) in known for length in (1, 2)), (page, line)


def test_every_error_of_the_control_plane_ends_with_the_status_of_its_family() -> None:
    import pilothouse.api.graphql.schema
    import pilothouse.app.running  # noqa: F401 - every room is loaded, so that all errors are known

    families = (NotSignedIn, NotPermitted, NotFound, Conflict, Unavailable)

    def leaves(kind: type[PilothouseError]) -> list[type[PilothouseError]]:
        return [kind, *(leaf for below in kind.__subclasses__() for leaf in leaves(below))]

    seen = set()
    for family in families:
        wanted = status_of(family())
        for kind in leaves(family):
            if kind.__module__.startswith("pilothouse.client"):
                continue
            seen.add(kind.code)
            assert status_of(ControlPlaneRefused("no", code=kind.code)) == wanted, kind
    assert len(seen) > 10


def test_the_examples_on_the_pages_are_documents_that_can_be_read() -> None:
    for page in ("howto/manage-as-code.md", "reference/apply.md"):
        for example in re.findall(r"```yaml\n(.*?)```", (DOCS.parent / page).read_text(encoding="utf-8"), re.DOTALL):
            assert len(read_texts([(page, example)])) == len(list(yaml.safe_load_all(example)))


def test_the_example_organization_can_be_read() -> None:
    assert len(read_files([Path(__file__).parents[3] / "examples" / "organization"])) == 11
