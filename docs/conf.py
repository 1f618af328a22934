"""The documentation's build: `make docs`.

Some things cannot go stale: the page of the command line is made from the commands themselves, and the build warns
(which fails it) when a code that a runtime can be refused with, or that a command can fail with, is missing from the
page that explains it, and when an example in GraphQL does not fit the schema.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from graphql import GraphQLSyntaxError, build_schema, parse, validate
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "server" / "src"))

from pilothouse import __version__  # noqa: E402 - from the tree
from pilothouse.cli.main import app  # noqa: E402
from pilothouse.domain.refusals import RuntimeRefused  # noqa: E402
from pilothouse.management.failures import Failure  # noqa: E402
from pilothouse.protocol.token import TokenRefusal  # noqa: E402
from pilothouse.protocol.wire import WireError  # noqa: E402
from pilothouse.protocol.wire_commands import InvalidResult  # noqa: E402
from typer.main import get_command  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

project = "Pilothouse"
author = "The Pilothouse authors"
version = release = __version__
extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["build"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = "Pilothouse"
html_show_sourcelink = False
html_show_copyright = False  # the licence is Apache-2.0, in LICENSE
copybutton_prompt_text = "$ "

REFUSALS_PAGE = "howto/full-heartbeat-rejected"
FAILURES_PAGE = "howto/a-change-has-stalled"
_HELP_WIDTH = 88  # what the theme shows without scrolling
_log = logging.getLogger(__name__)


def _walk(command: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from _walk(below, (*path, name))


class Commands(SphinxDirective):
    """Every command with its own help, asked for at build time."""

    def run(self) -> list[nodes.Node]:
        """Make a section a command."""
        return [self._section(path) for path in _walk(get_command(app), ())]

    def _section(self, path: tuple[str, ...]) -> nodes.section:
        name = " ".join(("pilothouse", *path))
        answer = CliRunner().invoke(
            app,
            [*path, "--help"],
            prog_name="pilothouse",
            env={"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": str(_HELP_WIDTH), "TERMINAL_WIDTH": str(_HELP_WIDTH)},
        )
        text = "\n".join(line.rstrip() for line in answer.output.strip("\n").splitlines())
        section = nodes.section(ids=[nodes.make_id(name)])
        section += nodes.title(name, name)
        section += nodes.literal_block(text, text, language="text")
        return section


def _leaves(kind: type) -> Iterator[type]:
    for below in kind.__subclasses__():
        yield below
        yield from _leaves(below)


def refusal_codes() -> set[str]:
    """Collect the codes that a runtime's request can be refused with."""
    return {kind.code for base in (RuntimeRefused, WireError) for kind in _leaves(base)} | {
        InvalidResult.code,
        *(refusal.value for refusal in TokenRefusal),
    }


def failure_codes() -> set[str]:
    """Collect the codes that a command can fail with: of calls from the code, of Python runtimes from the contract."""
    contract = (HERE.parent / "contracts" / "commands" / "README.md").read_text(encoding="utf-8")
    table = contract.partition("| code of failure |")[2].partition("\n\n")[0]
    of_runtimes = set(re.findall(r"`([A-Z_]+)`", table))
    if not of_runtimes:
        raise ValueError("The contract's table of failures is not where it was.")
    return of_runtimes | {failure.value for failure in Failure}


def check_codes(app_: Sphinx, _environment: object) -> None:
    """Warn of every code that its page does not explain."""
    for page, codes in ((REFUSALS_PAGE, refusal_codes()), (FAILURES_PAGE, failure_codes())):
        text = (Path(app_.srcdir) / f"{page}.md").read_text(encoding="utf-8")
        for code in sorted(codes):
            if f"`{code}`" not in text:
                _log.warning("the code %s is not explained", code, location=page)


def check_examples(app_: Sphinx, _environment: object) -> None:
    """Warn of every example in GraphQL that the schema does not allow."""
    schema = build_schema((HERE.parent / "contracts" / "schema.graphql").read_text(encoding="utf-8"))
    for page in sorted(Path(app_.srcdir).rglob("*.md")):
        for example in re.findall(
            r"^```graphql\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            try:
                problems = validate(schema, parse(example))
            except GraphQLSyntaxError as error:
                problems = [error]
            for problem in problems:
                _log.warning("an example does not fit the schema: %s", problem.message, location=str(page))


def setup(app_: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive and the checks."""
    app_.add_directive("pilothouse-commands", Commands)
    app_.connect("env-check-consistency", check_codes)
    app_.connect("env-check-consistency", check_examples)
    return {"parallel_read_safe": True}
