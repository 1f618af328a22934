"""Explaining who may do what, where: the decision itself, with the mappings that lead to it."""

from collections.abc import Sequence

import msgspec

from pilothouse.access.grants import (
    EVERYWHERE,
    Decision,
    Grant,
    Holdings,
    Place,
    Reach,
    Subject,
    decide,
    reach,
    require,
    require_somewhere,
)
from pilothouse.access.permissions import Permission
from pilothouse.base.errors import InvalidInput, NotFound
from pilothouse.base.pages import Page, PageRequest
from pilothouse.domain.tenancy import Environment, Integration, Project
from pilothouse.operations.tenancy import environment_not_found, integration_not_found, project_not_found
from pilothouse.storage import access, mappings, tenancy, users
from pilothouse.storage.mappings import MappingRow
from pilothouse.storage.unit import Connection
from pilothouse.storage.users import UserSummary

ABOUT_PEOPLE = (Permission.USER_MGT_UPDATE_USERS, Permission.USER_MGT_MANAGE_GROUPS)
"""Any of these shows who is in which group."""
ABOUT_MAPPINGS = (
    Permission.USER_MGT_UPDATE_GROUP_ROLES,
    Permission.USER_MGT_UPDATE_USERS,
    Permission.USER_MGT_MANAGE_ROLES,
)
"""Any of these shows the mappings that its reach touches."""


class PlaceNames(msgspec.Struct, frozen=True, kw_only=True):
    """A place as somebody outside names it, by handles."""

    project: str | None = None
    integration: str | None = None
    environment: str | None = None


class NamedPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A place with what it consists of."""

    place: Place = EVERYWHERE
    project: Project | None = None
    integration: Integration | None = None
    environment: Environment | None = None


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A decision about somebody, with the mappings that it rests on."""

    user: UserSummary
    decision: Decision
    where: NamedPlace
    mappings: dict[int, MappingRow]
    """By number, as far as the caller may see them."""


def mapping_reach(subject: Subject) -> Reach:
    """Tell how far somebody sees mappings: those that touch it."""
    return Reach(place for permission in ABOUT_MAPPINGS for place in reach(subject, permission).places)


def find_scope(connection: Connection, subject: Subject, names: PlaceNames) -> NamedPlace:
    """Find the place that somebody names, as far as it lies where they hold anything.

    Raises: InvalidInput, NotFound
    """
    if names.integration is not None and names.project is None:
        raise InvalidInput(
            "An integration's handle is unique within its project, which is not named.",
            field="project",
            fix="Name the project beside the integration.",
        )
    seen = reach(subject, Permission.SIGNED_IN)
    project = integration = environment = None
    if names.project is not None:
        project = tenancy.find_project(connection, names.project, seen)
        if project is None:
            raise project_not_found(names.project)
    if names.project is not None and names.integration is not None:
        integration = tenancy.find_integration(connection, names.project, names.integration, seen)
        if integration is None:
            raise integration_not_found(names.project, names.integration)
    if names.environment is not None:
        environment = tenancy.find_environment(connection, names.environment, seen)
        if environment is None:
            raise environment_not_found(names.environment)
    place = Place(
        project_id=project and project.id,
        integration_id=integration and integration.id,
        environment_id=environment and environment.id,
    )
    if environment is not None and not seen.touches(place):  # each is seen, but not the one within the other
        raise environment_not_found(environment.handle)
    return NamedPlace(place=place, project=project, integration=integration, environment=environment)


def explain(
    connection: Connection, subject: Subject, permission: Permission, names: PlaceNames, user_id: str | None
) -> Explained:
    """Tell whether somebody may do something in a place, and why; of oneself as one acts now, a token's limits included.

    Raises: NotPermitted, InvalidInput, NotFound
    """
    _refuse_nothing(permission)
    oneself = user_id is None or user_id == subject.id
    if not oneself:
        require_somewhere(subject, *ABOUT_PEOPLE)
    user = users.find_summary(connection, subject.id if user_id is None else user_id)
    if user is None:
        raise user_not_found("user")
    where = find_scope(connection, subject, names)
    if oneself:
        decision, visible = decide(subject, permission, where.place), Reach((EVERYWHERE,))
    else:
        require(subject, *ABOUT_PEOPLE, at=where.place)
        decision = _decide(user, access.list_grants(connection, user.id), permission, where.place)
        visible = mapping_reach(subject)
    shown = _mappings(connection, visible, [decision])
    return Explained(user=user, decision=decision, where=where, mappings=shown)


def who_may(
    connection: Connection, subject: Subject, permission: Permission, names: PlaceNames, page: PageRequest
) -> Page[Explained]:
    """List everybody who may do something in all of a place, by user name; the same number of statements for any page.

    Raises: NotPermitted, InvalidInput, NotFound
    """
    _refuse_nothing(permission)
    where = find_scope(connection, subject, names)
    require(subject, Permission.USER_MGT_UPDATE_USERS, Permission.USER_MGT_UPDATE_GROUP_ROLES, at=where.place)
    found = mappings.list_who_may(connection, permission, where.place, page)
    ids = [id_ for id_, _ in found.nodes]
    people, grants = users.list_summaries(connection, ids), access.list_grants_of_all(connection, ids)
    decisions = {
        id_: _decide(people[id_], grants.get(id_, []), permission, where.place) for id_ in ids if id_ in people
    }
    shown = _mappings(connection, mapping_reach(subject), list(decisions.values()))
    return Page(
        nodes=[
            Explained(user=people[id_], decision=decision, where=where, mappings=shown)
            for id_, decision in decisions.items()
        ],
        end_cursor=found.end_cursor,
        has_next=found.has_next,
        total=found.total,
    )


def user_not_found(field: str) -> NotFound:
    """Make the error for a user that is not there."""
    return NotFound("There is no such user.", field=field, fix="Look at the list of users.")


def _decide(user: UserSummary, grants: Sequence[Grant], permission: Permission, place: Place) -> Decision:
    if user.disabled_at is not None:
        return Decision(
            allowed=False,
            permission=permission,
            place=place,
            because=(),
            elsewhere=(),
            reason=f"{user.username} is disabled, and may do nothing.",
        )
    theirs = Subject(id=user.id, username=user.username, display_name=user.display_name, holdings=Holdings(grants))
    return decide(theirs, permission, place)


def _mappings(connection: Connection, visible: Reach, decisions: Sequence[Decision]) -> dict[int, MappingRow]:
    numbers = {grant.mapping_id for decision in decisions for grant in (*decision.because, *decision.elsewhere)}
    return {row.number: row for row in mappings.list_of(connection, visible, "number", numbers)}


def _refuse_nothing(permission: Permission) -> None:
    if permission is Permission.SIGNED_IN:
        raise InvalidInput(
            "Nobody grants SIGNED_IN: everybody who is signed in holds it.",
            field="permission",
            fix="Choose from `permissions`.",
        )
