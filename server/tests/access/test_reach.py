"""What is decided from values and what is filtered in SQL are one: over random trees of grants, on a real SQLite."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pilothouse.access.grants import EVERYWHERE, Grant, Holdings, Place, Reach, Subject, decide, missing_for_grant
from pilothouse.access.permissions import CONTAINED, GRANTABLE, Permission
from pilothouse.storage import mappings
from pilothouse.storage.scope import within
from pilothouse.storage.tables import environments, groups, integrations, projects, role_mappings, roles, runtimes
from sqlalchemy import Connection, insert, select

sys.path.insert(0, str(Path(__file__).parent))

from tree import (
    INTEGRATIONS,
    LEAVES,
    ORGANIZATION,
    PLACES,
    PROJECTS,
    add_runtimes,
    fill,
    grants,
    opened,
    permissions,
    places,
)

reaches = st.lists(places, max_size=5).map(Reach)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """The tree with a runtime in every place, and a mapping for every scope."""
    with opened(tmp_path_factory.mktemp("tree") / "tree.sqlite") as connection:
        fill(connection)
        add_runtimes(connection)
        made = {"organization_id": ORGANIZATION, "description": "", "created_at": 0, "created_by": "x"}
        connection.execute(insert(groups).values(id="g", name="G", **made))
        connection.execute(insert(roles).values(id="r", name="R", **made))
        for scope in PLACES:
            mappings.add(
                connection, ORGANIZATION, group_id="g", role_id="r", scope=scope, created_at=0.0, created_by="x"
            )
        yield connection


def holder(held: list[Grant], limited_to: frozenset[Permission] | None = None) -> Subject:
    return Subject(id="u", username="u", display_name="U", holdings=Holdings(held, limited_to))


@given(reach=reaches)
def test_sql_lists_just_the_runtimes_that_the_reach_covers(tree: Connection, reach: Reach) -> None:
    columns = (integrations.c.project_id, runtimes.c.integration_id, runtimes.c.environment_id)
    seen = within(reach, project=columns[0], integration=columns[1], environment=columns[2])
    statement = select(*columns).join(integrations, integrations.c.id == runtimes.c.integration_id).where(seen)
    found = {tuple(row) for row in tree.execute(statement)}
    key = [(leaf.project_id, leaf.integration_id, leaf.environment_id) for leaf in LEAVES]
    assert found == {ids for ids, leaf in zip(key, LEAVES, strict=True) if reach.covers(leaf)}
    assert found == {ids for ids in key if reach.holds(*ids)}
    assert found == {ids for ids, leaf in zip(key, LEAVES, strict=True) if reach.touches(leaf)}


@given(reach=reaches)
def test_sql_lists_just_the_integrations_projects_and_environments_that_the_reach_touches(
    tree: Connection, reach: Reach
) -> None:
    i, p, e = integrations.c, projects.c, environments.c
    found = set(tree.execute(select(i.id).where(within(reach, project=i.project_id, integration=i.id))).scalars())
    assert found == {
        each
        for project in PROJECTS
        for each in INTEGRATIONS[project]
        if reach.touches(Place(project_id=project, integration_id=each))
    }
    found = set(tree.execute(select(p.id).where(within(reach, project=p.id))).scalars())
    assert found == {project for project in PROJECTS if reach.touches(Place(project_id=project))}
    found = set(tree.execute(select(e.id).where(within(reach, environment=e.id))).scalars())
    assert found == {each for each in ("dev", "prod") if reach.touches(Place(environment_id=each))}


@given(reach=reaches)
def test_sql_lists_just_the_mappings_that_the_reach_touches(tree: Connection, reach: Reach) -> None:
    m = role_mappings.c
    statement = select(m.project_id, m.integration_id, m.environment_id).where(mappings.touching(reach))
    found = [Place(**row) for row in tree.execute(statement).mappings()]
    assert sorted(map(mappings.scope_text, found)) == sorted(
        mappings.scope_text(scope) for scope in PLACES if reach.touches(scope)
    )


@given(scopes=st.lists(places, max_size=5), place=places)
def test_leaving_out_what_lies_within_another_place_changes_nothing(scopes: list[Place], place: Place) -> None:
    reach = Reach(scopes)
    assert reach.covers(place) == any(scope.covers(place) for scope in scopes)
    assert reach.touches(place) == any(scope.touches(place) for scope in scopes)
    assert not any(one != other and one.covers(other) for one in reach.places for other in reach.places)


@given(one=places, other=places)
def test_covering_is_about_every_runtime_and_touching_about_any(one: Place, other: Place) -> None:
    of_one, of_other = ({leaf for leaf in LEAVES if place.covers(leaf)} for place in (one, other))
    assert one.touches(other) == bool(of_one & of_other)
    assert not one.covers(other) or of_other <= of_one
    assert other.environment_id is not None or one.environment_id is None or not one.covers(other)


@given(held=grants, permission=permissions, place=places)
def test_the_explained_decision_is_the_one_that_counts(held: list[Grant], permission: Permission, place: Place) -> None:
    subject = holder(held)
    allowed = any(
        grant.scope.covers(place) and any(permission in CONTAINED[own] for own in grant.permissions) for grant in held
    )
    decision = decide(subject, permission, place)
    assert decision.allowed == subject.holdings.reach(permission).covers(place) == allowed
    assert bool(missing_for_grant(subject, [permission], place)) is not allowed
    assert all(grant.through(permission) and grant.scope.covers(place) for grant in decision.because)
    assert all(grant.through(permission) and not grant.scope.covers(place) for grant in decision.elsewhere)
    assert decision.reason.endswith(".")


@given(held=grants, permission=permissions, place=places)
def test_manage_contains_edit_and_edit_contains_view(held: list[Grant], permission: Permission, place: Place) -> None:
    subject = holder(held)
    if decide(subject, permission, place).allowed:
        assert all(decide(subject, contained, place).allowed for contained in CONTAINED[permission])


@pytest.mark.parametrize("area", ["integration", "project"])
def test_manage_edit_and_view_are_a_chain(area: str) -> None:
    manage, edit, view = (Permission(f"{area}_mgt:{verb}") for verb in ("manage", "edit", "view"))
    assert CONTAINED[manage] > CONTAINED[edit] > CONTAINED[view] == {view}


@given(held=grants, permission=permissions, tree_place=places)
def test_who_is_granted_one_environment_may_nothing_that_names_none(
    held: list[Grant], permission: Permission, tree_place: Place
) -> None:
    of_one = [grant for grant in held if grant.scope.environment_id is not None]
    place = Place(project_id=tree_place.project_id, integration_id=tree_place.integration_id)
    assert not decide(holder(of_one), permission, place).allowed


@given(held=grants, carried=st.frozensets(permissions, max_size=3), permission=permissions, place=places)
def test_a_token_carries_no_more_than_its_owner_holds_and_no_more_than_it_says(
    held: list[Grant], carried: frozenset[Permission], permission: Permission, place: Place
) -> None:
    whole, limited = holder(held), holder(held, carried)
    said = any(permission in CONTAINED[own] for own in carried)
    assert decide(limited, permission, place).allowed == (said and decide(whole, permission, place).allowed)
    assert limited.holdings.reach(permission).covers(place) == decide(limited, permission, place).allowed


def test_who_holds_nothing_may_nothing() -> None:
    nobody = holder([])
    assert not any(decide(nobody, permission, place).allowed for permission in GRANTABLE for place in PLACES)
    assert not nobody.holdings.reach(Permission.SIGNED_IN).touches(EVERYWHERE)


@given(held=st.lists(places, max_size=6))
def test_a_reach_keeps_the_widest_places_and_nothing_that_lies_within_them(held: list[Place]) -> None:
    kept = Reach(held).places
    assert set(kept) == {one for one in held if not any(other.covers(one) and other != one for other in held)}
    assert len(kept) == len(set(kept))


def test_holdings_of_many_mappings_are_sorted_once_for_a_role_and_once_for_a_kind_of_token() -> None:
    """A request with an API token must not put together anew what a thousand mappings give."""
    role = frozenset({Permission.INTEGRATION_MGT_MANAGE, Permission.PROJECT_MGT_EDIT})
    held = Holdings(
        Grant(
            mapping_id=number,
            group_id="g",
            group_name="G",
            role_id="r",
            role_name="R",
            permissions=role,
            scope=Place(project_id="p", integration_id=f"i{number}"),
        )
        for number in range(3)
    )
    assert held.reach(Permission.INTEGRATION_MGT_VIEW) is held.reach(Permission.PROJECT_MGT_EDIT)
    carried = held.limited(frozenset({Permission.PROJECT_MGT_VIEW}))
    assert carried is held.limited(frozenset({Permission.PROJECT_MGT_VIEW}))
    assert carried.permissions == {Permission.PROJECT_MGT_VIEW}
    assert held.limited(frozenset({Permission.AUDIT_MGT_VIEW})).permissions == frozenset()
    assert held.limited(frozenset({Permission.AUDIT_MGT_VIEW})).reach(Permission.SIGNED_IN) == Reach()
