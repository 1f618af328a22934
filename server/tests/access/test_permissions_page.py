"""The page of permissions says what the code does. After a change of either: `python server/tests/access/test_permissions_page.py`."""

from pathlib import Path

from pilothouse.access.permissions import CONTAINED, MEANINGS, Permission
from pilothouse.access.roles import GROUPS, ROLES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "permissions.md"
BEGIN, END = "<!-- from the code: begin -->\n", "<!-- from the code: end -->\n"


def tables() -> str:
    """Write the tables as the code has them."""
    lines = ["| permission | lets somebody | contains | built-in roles that hold it |", "|---|---|---|---|"]
    for permission, meaning in MEANINGS.items():
        inside = ", ".join(f"`{each.value}`" for each in sorted(CONTAINED[permission] - {permission})) or "-"
        holders = ", ".join(seed.name for seed in ROLES.values() if holds(seed.permissions, permission))
        lines.append(f"| `{permission.value}` | {meaning} | {inside} | {holders} |")
    lines += ["", "| role | what it is for |", "|---|---|"]
    lines += [f"| {seed.name} | {seed.description} |" for seed in ROLES.values()]
    lines += ["", "| group | role it has in all of the organization | |", "|---|---|---|"]
    lines += [f"| {name} | {ROLES[role].name} | {description} |" for name, description, role in GROUPS.values()]
    return "\n".join(lines) + "\n"


def holds(named: frozenset[Permission], permission: Permission) -> bool:
    return any(permission in CONTAINED[own] for own in named)


def test_the_page_has_the_tables_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page[page.index(BEGIN) + len(BEGIN) : page.index(END)] == tables()


def test_every_permission_but_three_of_ours_is_the_originals() -> None:
    assert len(MEANINGS) == 22
    assert {Permission.AUDIT_MGT_VIEW, Permission.ALERT_MGT_MANAGE, Permission.INTEGRATION_MGT_TRY} <= MEANINGS.keys()
    assert Permission.SIGNED_IN not in MEANINGS


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index(BEGIN) + len(BEGIN)] + tables() + text[text.index(END) :], encoding="utf-8")
