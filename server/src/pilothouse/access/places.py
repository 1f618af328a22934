"""Where something is permitted, and where something is to be done."""

from collections.abc import Iterable
from functools import cached_property
from typing import TypeAlias

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A part of the tree: an organization, a project or an integration, in all environments or in one.

    The same words say where a role is granted (its *scope*) and where something is to be done. What names no environment is
    about all of them: who was granted one environment may not do it.
    """

    project_id: str | None = None
    integration_id: str | None = None
    """Needs `project_id`."""
    environment_id: str | None = None

    def covers(self, place: "Place") -> bool:
        """Tell whether what is granted here holds in all of the other place."""
        return (
            self.project_id in (None, place.project_id)
            and self.integration_id in (None, place.integration_id)
            and self.environment_id in (None, place.environment_id)
        )

    def touches(self, place: "Place") -> bool:
        """Tell whether the two have anything in common."""
        return all(
            one is None or other is None or one == other
            for one, other in (
                (self.project_id, place.project_id),
                (self.integration_id, place.integration_id),
                (self.environment_id, place.environment_id),
            )
        )


EVERYWHERE = Place()
_Ids: TypeAlias = tuple[str | None, str | None, str | None]
_Shape: TypeAlias = tuple[bool, bool, bool]
"""Whether project, integration and environment are named."""


class Reach:
    """The part of the tree that a permission reaches; every listing is filtered by one."""

    __slots__ = ("__dict__", "places")

    def __init__(self, places: Iterable[Place] = ()) -> None:
        by_ids = {(place.project_id, place.integration_id, place.environment_id): place for place in places}
        shapes = {_shape_of(ids) for ids in by_ids}
        wider = {shape: [other for other in shapes if _is_wider(other, shape)] for shape in shapes}
        self.places: tuple[Place, ...] = tuple(
            by_ids[ids]
            for ids in sorted(by_ids, key=lambda ids: tuple(id_ or "" for id_ in ids))
            if not any(_shaped(ids, other) in by_ids for other in wider[_shape_of(ids)])
        )
        """None of them lies within another one."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reach) and self.places == other.places

    def __hash__(self) -> int:
        return hash(self.places)

    def __repr__(self) -> str:
        return f"Reach({list(self.places)})"

    @cached_property
    def everything(self) -> bool:
        """Whether it is not limited at all."""
        return EVERYWHERE in self.places

    @property
    def nothing(self) -> bool:
        """Whether it reaches nothing."""
        return not self.places

    def covers(self, place: Place) -> bool:
        """Tell whether it holds in all of a place, by eight look-ups at most however many places there are."""
        if self.everything:
            return True
        exact = self._exact
        return any(
            (project, integration, environment) in exact
            for project in {None, place.project_id}
            for integration in {None, place.integration_id}
            for environment in {None, place.environment_id}
        )

    def touches(self, place: Place) -> bool:
        """Tell whether it holds somewhere in a place."""
        return any(own.touches(place) for own in self.places)

    @cached_property
    def _exact(self) -> frozenset[tuple[str | None, str | None, str | None]]:
        return frozenset((one.project_id, one.integration_id, one.environment_id) for one in self.places)

    def holds(self, project_id: str, integration_id: str, environment_id: str) -> bool:
        """Tell the same of a runtime's place, as it stands in memory."""
        return self.covers(Place(project_id=project_id, integration_id=integration_id, environment_id=environment_id))


def _shape_of(ids: _Ids) -> _Shape:
    """Tell which ids a place names."""
    return ids[0] is not None, ids[1] is not None, ids[2] is not None


def _is_wider(one: _Shape, other: _Shape) -> bool:
    """Tell whether a place of one shape may hold one of the other."""
    return one != other and all(named or not own for own, named in zip(one, other, strict=True))


def _shaped(ids: _Ids, shape: _Shape) -> _Ids:
    """Leave out what a shape does not name."""
    project, integration, environment = (id_ if named else None for id_, named in zip(ids, shape, strict=True))
    return project, integration, environment


NOTHING = Reach()
EVERYTHING = Reach((EVERYWHERE,))
