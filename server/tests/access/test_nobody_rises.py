"""Any sequence of permitted changes, by people with all kinds of roles: nobody gives what they do not hold, a Super Admin remains.

Seen from outside it says: by what one person does, nobody ever reaches further than they reached before, or than that person
reaches. So nobody raises themselves, and no two raise each other.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pilothouse.access.grants import Holdings, Reach, Subject
from pilothouse.access.permissions import GRANTABLE, Permission
from pilothouse.access.roles import BuiltInGroup, BuiltInRole
from pilothouse.base.errors import NotPermitted, PilothouseError
from pilothouse.operations import groups as group_changes
from pilothouse.operations import mappings as mapping_changes
from pilothouse.operations import roles as role_changes
from pilothouse.operations import users as user_changes
from pilothouse.operations.explaining import PlaceNames
from pilothouse.operations.users import NewUser, UserChange
from pilothouse.storage import access, built_in, people, users
from pilothouse.storage.engine import open_writer
from pilothouse.storage.people import UserRow
from pilothouse.storage.tables import groups as groups_table
from pilothouse.storage.tables import role_mappings, sso_group_mappings
from pilothouse.storage.tables import roles as roles_table
from pilothouse.storage.tables import users as users_table
from pilothouse.storage.unit import Transaction
from sqlalchemy import Connection, select

sys.path.insert(0, str(Path(__file__).parent))

from tree import INTEGRATIONS, ORGANIZATION, fill, opened, permissions

_P = Permission
PEOPLE = {
    "users": ({_P.USER_MGT_MANAGE_USERS}, None),
    "groups": ({_P.USER_MGT_MANAGE_GROUPS, _P.USER_MGT_UPDATE_USERS}, None),
    "roles": ({_P.USER_MGT_MANAGE_ROLES, _P.USER_MGT_UPDATE_GROUP_ROLES, _P.PROJECT_MGT_VIEW}, None),
    "all-of-it": ({p for p in GRANTABLE if p.value.startswith("user_mgt:")}, None),
    "members-of-p1": ({_P.USER_MGT_UPDATE_USERS, _P.USER_MGT_UPDATE_GROUP_ROLES, _P.INTEGRATION_MGT_EDIT}, "p1"),
}
"""Besides the first administrator, a Project Admin of p1 and a developer: who holds what, and in which project."""
Reaches = dict[Permission, Reach]

actors, targets = st.integers(0, 9), st.integers(0, 9)
names = st.builds(
    lambda project, integration, environment: PlaceNames(
        project=project,
        integration=INTEGRATIONS[project][0] if project and integration else None,
        environment=environment,
    ),
    st.sampled_from([None, "p1", "p2"]),
    st.booleans(),
    st.sampled_from([None, None, "dev", "prod"]),
)
granted = st.lists(permissions, min_size=1, max_size=3)


@cache
def template() -> Path:
    """The organization at the beginning, made once."""
    path = Path(tempfile.mkdtemp()) / "beginning.sqlite"
    with opened(path) as connection:
        fill(connection)
        built_in.ensure_built_in(connection, ORGANIZATION, 0.0)
        tx = Transaction(connection)
        root = add_user(connection, "root")
        supers = built_in.built_in_group(connection, ORGANIZATION, BuiltInGroup.SUPER_ADMINS)
        built_in.add_member(connection, supers, root, 0.0)
        subject = subject_of(connection, root)
        for name, (held, project) in PEOPLE.items():
            role = role_changes.create_role(tx, subject, name, None, sorted(held), now=0.0)
            give(tx, subject, name, role.id, PlaceNames(project=project))
        found = {code: id_ for code, id_ in connection.execute(select(roles_table.c.built_in, roles_table.c.id))}  # noqa: C416
        give(tx, subject, "admin-of-p1", found[BuiltInRole.PROJECT_ADMIN.value], PlaceNames(project="p1"))
        give(tx, subject, "developer", found[BuiltInRole.DEVELOPER.value], PlaceNames(environment="dev"))
        connection.commit()
    return path


def add_user(connection: Connection, name: str) -> str:
    user = UserRow(
        id=name, organization_id=ORGANIZATION, username=name, display_name=name, created_at=0.0, created_by="x"
    )
    people.add(connection, user)
    return user.id


def give(tx: Transaction, subject: Subject, name: str, role_id: str, scope: PlaceNames) -> None:
    group = group_changes.create_group(tx, subject, f"group of {name}", None, now=0.0)
    mapping_changes.map_role(tx, subject, group.id, role_id, scope, now=0.0)
    group_changes.add_members(tx, subject, group.id, [add_user(tx.connection, name)], now=0.0)


def subject_of(connection: Connection, user_id: str) -> Subject:
    row = people.find(connection, user_id)
    assert row is not None
    return Subject(
        id=row.id,
        username=row.username,
        display_name=row.display_name,
        organization_id=ORGANIZATION,
        holdings=Holdings(access.list_grants(connection, user_id)),
    )


def exceeds(now: Reaches, *before: Reaches) -> list[Permission]:
    """List the permissions that reach a place which none of the others covered."""
    return [
        permission
        for permission, reach in now.items()
        if not all(any(old[permission].covers(place) for old in before) for place in reach.places)
    ]


class Organization(RuleBasedStateMachine):
    """People change who may do what, as far as they are let."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copyfile(template(), self.folder / "now.sqlite")
        self.engine = open_writer(self.folder / "now.sqlite")
        self.connection = self.engine.connect()
        self.transaction = self.connection.begin()
        self.made = 0
        self.known = self.reaches()

    def teardown(self) -> None:
        if hasattr(self, "engine"):
            self.transaction.rollback()
            self.connection.close()
            self.engine.dispose()
            shutil.rmtree(self.folder)

    # what there is

    def pick(self, column: Any, index: int) -> Any:
        found = list(self.connection.execute(select(column).order_by(column)).scalars())
        return found[index % len(found)]

    def user(self, index: int) -> str:
        return self.pick(users_table.c.id, index)

    def group(self, index: int) -> str:
        return self.pick(groups_table.c.id, index)

    def role(self, index: int) -> str:
        return self.pick(roles_table.c.id, index)

    def new_name(self) -> str:
        self.made += 1
        return f"made {self.made}"

    def reaches(self) -> dict[str, Reaches]:
        """Tell how far everybody reaches; who is disabled keeps what they have, since another may enable them."""
        held = access.list_grants_of_all(self.connection, None)
        ids = self.connection.execute(select(users_table.c.id)).scalars()
        return {
            id_: {p: holdings.reach(p) for p in GRANTABLE} for id_ in ids for holdings in [Holdings(held.get(id_, []))]
        }

    def attempt(self, actor: int, change: Callable[[Transaction, Subject], object]) -> bool:
        """Let somebody who is enabled try something, and see that nobody rises by it."""
        user_id = self.user(actor)
        row = people.find(self.connection, user_id)
        assert row is not None
        if row.disabled_at is not None or row.kind == "service":
            return False
        before, tx = self.known, Transaction(self.connection)
        subject = subject_of(self.connection, user_id)
        try:
            with self.connection.begin_nested():
                change(tx, subject)
        except PilothouseError as refusal:
            assert not isinstance(refusal, NotPermitted) or "user_mgt:" in refusal.message or "hold" in refusal.message
            return False
        nothing = dict.fromkeys(GRANTABLE, Reach())
        self.known = self.reaches()
        for id_, now in self.known.items():
            assert not exceeds(now, before.get(id_, nothing), before[user_id]), (user_id, id_)
        return True

    # what people try

    @rule(actor=actors, group=targets, role=targets, scope=names)
    def map_role(self, actor: int, group: int, role: int, scope: PlaceNames) -> None:
        group_id, role_id = self.group(group), self.role(role)
        self.attempt(actor, lambda tx, s: mapping_changes.map_role(tx, s, group_id, role_id, scope, now=1.0))

    @rule(actor=actors, mapping=st.integers(0, 30))
    def unmap_role(self, actor: int, mapping: int) -> None:
        number = str(self.pick(role_mappings.c.number, mapping))
        self.attempt(actor, lambda tx, s: mapping_changes.unmap_role(tx, s, number, now=1.0))

    @rule(actor=actors, wanted=granted)
    def create_role(self, actor: int, wanted: list[Permission]) -> None:
        name = self.new_name()
        self.attempt(actor, lambda tx, s: role_changes.create_role(tx, s, name, None, wanted, now=1.0))

    @rule(actor=actors, role=targets, wanted=granted)
    def change_role(self, actor: int, role: int, wanted: list[Permission]) -> None:
        role_id, name = self.role(role), self.new_name()
        self.attempt(actor, lambda tx, s: role_changes.update_role(tx, s, role_id, name, None, wanted, now=1.0))

    @rule(actor=actors, role=targets)
    def delete_role(self, actor: int, role: int) -> None:
        role_id = self.role(role)
        self.attempt(actor, lambda tx, s: role_changes.delete_role(tx, s, role_id, now=1.0))

    @rule(actor=actors)
    def create_group(self, actor: int) -> None:
        name = self.new_name()
        self.attempt(actor, lambda tx, s: group_changes.create_group(tx, s, name, None, now=1.0))

    @rule(actor=actors, group=targets, cascade=st.booleans())
    def delete_group(self, actor: int, group: int, cascade: bool) -> None:
        group_id = self.group(group)
        self.attempt(actor, lambda tx, s: group_changes.delete_group(tx, s, group_id, cascade=cascade, now=1.0))

    @rule(actor=actors, group=targets, members=st.lists(targets, min_size=1, max_size=3))
    def add_members(self, actor: int, group: int, members: list[int]) -> None:
        group_id, ids = self.group(group), [self.user(member) for member in members]
        self.attempt(actor, lambda tx, s: group_changes.add_members(tx, s, group_id, ids, now=1.0))

    @rule(actor=actors, group=targets)
    def join(self, actor: int, group: int) -> None:
        group_id, user_id = self.group(group), self.user(actor)
        self.attempt(actor, lambda tx, s: group_changes.add_members(tx, s, group_id, [user_id], now=1.0))

    @rule(actor=actors, group=targets, members=st.lists(targets, min_size=1, max_size=9))
    def remove_members(self, actor: int, group: int, members: list[int]) -> None:
        group_id, ids = self.group(group), [self.user(member) for member in members]
        self.attempt(actor, lambda tx, s: group_changes.remove_members(tx, s, group_id, ids, now=1.0))

    @rule(actor=actors, whom=targets, wanted=st.lists(targets, max_size=3))
    def set_groups(self, actor: int, whom: int, wanted: list[int]) -> None:
        user_id, ids = self.user(whom), [self.group(group) for group in wanted]
        self.attempt(actor, lambda tx, s: user_changes.set_groups(tx, s, user_id, ids, now=1.0))

    @rule(actor=actors, wanted=st.lists(targets, max_size=2), kind=st.sampled_from(["person", "service"]))
    def create_user(self, actor: int, wanted: list[int], kind: str) -> None:
        name = self.new_name().replace(" ", "-")
        new = NewUser(username=name, display_name=name, kind=kind, group_ids=[self.group(group) for group in wanted])
        self.attempt(actor, lambda tx, s: user_changes.create_user(tx, s, new, now=1.0))

    @rule(actor=actors, whom=targets, disabled=st.booleans())
    def disable(self, actor: int, whom: int, disabled: bool) -> None:
        user_id, change = self.user(whom), UserChange(disabled=disabled)
        self.attempt(actor, lambda tx, s: user_changes.update_user(tx, s, user_id, change, now=1.0))

    @rule(actor=actors, whom=targets)
    def delete_user(self, actor: int, whom: int) -> None:
        user_id = self.user(whom)
        self.attempt(actor, lambda tx, s: user_changes.delete_user(tx, s, user_id, now=1.0))

    @rule(actor=actors, whom=targets)
    def take_over_by_a_new_password(self, actor: int, whom: int) -> None:
        actor_id, user_id = self.user(actor), self.user(whom)
        if self.attempt(actor, lambda tx, s: user_changes.reset_password(tx, s, user_id, "hash", now=1.0)):
            assert not exceeds(self.known[user_id], self.known[actor_id])

    @rule(actor=actors, group=targets)
    def come_in_by_the_identity_provider(self, actor: int, group: int) -> None:
        actor_id, group_id = self.user(actor), self.group(group)
        before, value = self.known[actor_id], self.new_name()
        if self.attempt(
            actor,
            lambda tx, s: mapping_changes.create_sso_mapping(
                tx, s, group_id, issuer="https://id", claim="groups", value=value, now=1.0
            ),
        ):
            given = Holdings(mapping_changes.grants_of_groups(self.connection, [group_id]))
            assert not exceeds({p: given.reach(p) for p in GRANTABLE}, before)
            assert self.connection.execute(select(sso_group_mappings.c.value)).scalars().all()[-1:] != []

    # what stays true

    @invariant()
    def a_super_admin_remains(self) -> None:
        if hasattr(self, "connection"):
            assert users.count_super_admins(self.connection) >= 1

    @invariant()
    def super_admins_may_do_everything(self) -> None:
        if hasattr(self, "connection"):
            supers = built_in.built_in_group(self.connection, ORGANIZATION, BuiltInGroup.SUPER_ADMINS)
            held = Holdings(mapping_changes.grants_of_groups(self.connection, [supers]))
            assert all(held.reach(permission).everything for permission in GRANTABLE)


TestOrganization = Organization.TestCase
TestOrganization.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
