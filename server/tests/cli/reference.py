"""The parts of the reference pages that are made from the code. Run it to write them: `python server/tests/cli/reference.py`."""

import re
from pathlib import Path

import msgspec
from graphql import FieldNode, parse
from pilothouse.client.apply.fields import KINDS, Field, json_schema
from pilothouse.client.documents import every_document

DOCS = Path(__file__).parents[3] / "docs" / "reference"
SHAPES = {
    "runtimes list": "RUNTIMES",
    "runtimes show": "RUNTIME",
    "runtimes remove": "DELETE_RUNTIME",
    "runtimes users": "ADD_MI_USER",
    "artifacts list --runtime": "ARTIFACTS",
    "artifacts list": "MERGED_ARTIFACTS",
    "drift list": "NOT_AS_WANTED",
    "log-level list": "LOG_LEVELS",
    "commands list, and what steers": "COMMANDS",
    "commands show": "COMMAND",
    "watch": "RUNTIME_CHANGED",
    "projects": "PROJECTS",
    "integrations": "INTEGRATIONS",
    "environments": "ENVIRONMENTS",
    "projects|integrations|environments delete": "DELETE_PROJECT",
    "secrets list|restore|expire": "SECRETS",
    "secrets generate": "GENERATE_SECRET",
    "secrets rotate": "ROTATE_SECRET",
    "secrets revoke": "REVOKE_SECRET",
    "users list|enable|disable": "USERS",
    "users create": "CREATE_USER",
    "groups": "GROUPS",
    "groups members": "GROUP_MEMBERS",
    "roles": "ROLES",
    "roles permissions": "PERMISSIONS",
    "mappings": "GROUP_MAPPINGS",
    "sso-mappings": "SSO_MAPPINGS",
    "why": "ACCESS",
    "tokens list|revoke": "TOKENS",
    "tokens create": "CREATE_TOKEN",
    "ingest-tokens list|revoke": "INGEST_TOKENS",
    "ingest-tokens create": "CREATE_INGEST_TOKEN",
    "sessions list": "SESSIONS",
    "audit list": "AUDIT",
    "audit check": "AUDIT_CHECK",
    "events list": "EVENTS",
    "logs": "LOGS",
    "metrics": "METRICS",
    "traces": "TRACES",
    "traces show": "TRACE",
    "alerts list": "ALERTS",
    "alerts rules list|save": "ALERT_RULES",
    "alerts channels list": "ALERT_CHANNELS",
    "alerts channels test": "TEST_ALERT_CHANNEL",
    "alerts silences": "ALERT_SILENCES",
}


def selection(document: str) -> str:
    """Give what a document selects of each thing, without the pages around it."""
    nodes = parse(document).definitions[0].selection_set.selections
    while True:
        field = next(node for node in nodes if isinstance(node, FieldNode))
        nodes = field.selection_set.selections
        inner = {node.name.value: node for node in nodes}
        if "nodes" in inner:
            nodes = inner["nodes"].selection_set.selections
            break
        if any(node.selection_set is None for node in nodes) or len(nodes) > 1:
            break
    return " ".join(told(node) for node in nodes)


def told(node: FieldNode) -> str:
    inner = node.selection_set
    name = node.name.value
    return name if inner is None else f"{name} {{{' '.join(told(each) for each in inner.selections)}}}"


def shapes() -> str:
    documents = every_document()
    rows = [
        f"| `{command.replace('|', chr(92) + '|')}` | `{selection(documents[name])}` |"
        for command, name in SHAPES.items()
    ]
    return "\n".join(["| command | fields |", "|---|---|", *rows])


def row(field: Field, above: str = "") -> list[str]:
    shape = " or ".join(f"`{choice}`" for choice in field.choices) or field.shape.value
    if field.pattern:
        shape += f", each `{field.pattern}`" if "list" in shape else f", `{field.pattern}`"
    name = f"{above}{field.name}"
    rows = [f"| `{name}` | {'yes' if field.required else ''} | {shape} | {field.meaning} |"]
    for inner in field.fields:
        rows += row(inner, f"{name}[].")
    return rows


def fields() -> str:
    parts: list[str] = []
    for kind in KINDS:
        parts += [f"### {kind.name}", "", kind.meaning, "", "| field | needed | what | meaning |", "|---|---|---|---|"]
        for field in kind.fields:
            parts += row(field)
        parts.append("")
    return "\n".join(parts).rstrip()


def schema() -> str:
    return f"```json\n{msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode()}\n```"


PAGES = {"cli.md": {"shapes": shapes}, "apply.md": {"fields": fields, "schema": schema}}


def filled_in(page: str, text: str) -> str:
    """Put the parts into a page, between their marks."""
    for name, make in PAGES[page].items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        assert re.search(pattern, text, re.DOTALL), f"the marks of {name} are missing"
        text = re.sub(pattern, lambda found, make=make: f"{found[1]}\n{make()}\n\n{found[2]}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    for page in PAGES:
        file = DOCS / page
        file.write_text(filled_in(page, file.read_text(encoding="utf-8")), encoding="utf-8")
