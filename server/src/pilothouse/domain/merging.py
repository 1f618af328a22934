"""Artifacts of one place, merged over its runtimes: which host each, in which forms, and where they disagree.

What is steered (state, tracing, statistics) is compared with what is desired elsewhere (`replicas`), and makes no form of its
own here; neither does what only measures, such as the size of a store, nor the address of the runtime's own machine, nor a port
that the system chose.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import count
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec

from pilothouse.domain.artifacts import KINDS, Artifact, ArtifactState, Base, DeploymentState
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.artifacts.listener import Listener
from pilothouse.domain.artifacts.service import Service
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import STEERABLE, fingerprint_of, label_of

_OF_THE_RUNTIME: Final = frozenset({"name", "package", "size_messages", "url", "urls", "endpoints"})
"""What names the place, what measures, and the addresses at which each runtime is reached itself."""
STATES: Final[Mapping[object, ArtifactState]] = {
    **{state: state for state in ArtifactState},
    DeploymentState.ACTIVE: ArtifactState.ENABLED,
    DeploymentState.FAULTY: ArtifactState.FAILED,
}
_TAGS: Final = {kind: str(kind.__struct_config__.tag) for kind in KINDS}
_Place: TypeAlias = tuple[str, str, str]
"""Kind, name and package."""
_Form: TypeAlias = tuple[bytes, ...]
"""What one runtime reports at one place: JSON of the fields that count, of each artifact there (there may be two versions)."""


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime and what it reports. Runtimes that report the same may share one set, and are then compared once."""

    runtime_key: int
    is_running: bool
    artifacts: ArtifactSet


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A form in which an artifact is reported."""

    form: tuple[bytes, ...]
    usual: tuple[bytes, ...]
    """The most frequent form."""
    fields: tuple[str, ...]
    runtime_keys: tuple[int, ...]

    @property
    def differences(self) -> str:
        """The fields that differ from the most frequent form, as JSON; computed when asked, since few are."""
        return _differences(self.form, self.usual, self.fields)


class MergedArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact over all runtimes."""

    kind: str
    name: str
    package: str
    state: ArtifactState
    """As the running runtimes agree; UNKNOWN where they do not, or do not tell."""
    hosted_by: tuple[int, ...]
    missing_on: tuple[int, ...]
    """Running runtimes that do not host it."""
    in_sync: bool
    """Whether every running runtime hosts it, in the same form."""
    failed: bool
    """Whether a running runtime reports that it failed."""
    variants: tuple[Variant, ...]
    """The most frequent one first."""


class _Group:
    """Runtimes that share one set."""

    def __init__(self, artifacts: ArtifactSet) -> None:
        self.artifacts = artifacts
        self.running: list[int] = []
        self.others: list[int] = []
        self.size = 0


class _Row:
    """What the groups report at one place."""

    __slots__ = ("fields", "forms", "states")

    def __init__(self, fields: tuple[str, ...]) -> None:
        self.fields = fields
        self.forms: defaultdict[int, list[bytes]] = defaultdict(list)
        self.states: set[ArtifactState] = set()


def merge(runtime_type: RuntimeType, hosts: Iterable[Host]) -> list[MergedArtifact]:
    """Merge what runtimes of one place report, by kind, name and package."""
    groups = _grouped(hosts)
    renames: list[dict[_Place, str]] = [{} for _ in groups]
    if runtime_type is RuntimeType.BI:
        renames = _row_names(groups)
    rows: dict[_Place, _Row] = {}
    counting = {kind: what_counts(kind, runtime_type) for kind in KINDS}
    for number, group in enumerate(groups):
        renamed = renames[number]
        listeners = {name: row for (kind, name, _), row in renamed.items() if kind == _LISTENER}
        for artifact in group.artifacts.artifacts:
            kind, name, package = place = place_of(artifact)
            if renamed:
                place = (kind, renamed.get(place, name), package)
                if isinstance(artifact, Service):
                    artifact = attached(artifact, listeners)  # noqa: PLW2901 - the same one, in names that all share
            artifact = without_found_port(artifact)  # noqa: PLW2901 - the same one, as it is compared
            fields, read = counting[type(artifact)]
            row = rows.get(place)
            if row is None:
                row = rows[place] = _Row(fields)
            row.forms[number].append(_encode(read(artifact)))
            if group.running:
                row.states.add(STATES.get(getattr(artifact, "state", None), ArtifactState.UNKNOWN))
    running = [number for number, group in enumerate(groups) if group.running]
    return [_merged(place, rows[place], groups, running) for place in sorted(rows)]


_encode = msgspec.json.Encoder().encode


def _grouped(hosts: Iterable[Host]) -> list[_Group]:
    groups: dict[int, _Group] = {}
    for host in hosts:
        group = groups.setdefault(id(host.artifacts), _Group(host.artifacts))
        (group.running if host.is_running else group.others).append(host.runtime_key)
        group.size += 1
    return list(groups.values())


def place_of(artifact: Artifact) -> _Place:
    """Tell where an artifact is merged: its kind, name and package."""
    return (_TAGS[type(artifact)], artifact.name, getattr(artifact, "package", ""))


@cache
def what_counts(
    kind: type[Base], runtime_type: RuntimeType
) -> tuple[tuple[str, ...], Callable[[Base], Any]]:  # Any: values
    """Tell which fields make a form, and how to read them."""
    tag = _TAGS[kind]
    steered = {
        aspect.value for each, aspects in STEERABLE[runtime_type].items() if each.value == tag for aspect in aspects
    }
    if kind is Service:
        steered.add("state")  # that of its listeners
    if "state" in steered:
        steered.add("state_reason")
    fields = tuple(field for field in kind.__struct_fields__ if field not in steered | _OF_THE_RUNTIME)
    if len(fields) == 1:
        read_one = attrgetter(fields[0])
        return fields, lambda artifact: (read_one(artifact),)
    return fields, attrgetter(*fields) if fields else lambda _: ()


def _merged(place: _Place, row: _Row, groups: Sequence[_Group], running: Sequence[int]) -> MergedArtifact:
    by_form: defaultdict[_Form, list[int]] = defaultdict(list)
    for number, parts in row.forms.items():
        by_form[tuple(parts) if len(parts) == 1 else tuple(sorted(parts))].append(number)
    forms = sorted(by_form, key=lambda form: (*_frequency(by_form[form], groups), form))
    missing = [number for number in running if number not in row.forms]
    in_running = sum(any(groups[number].running for number in by_form[form]) for form in forms)
    return MergedArtifact(
        kind=place[0],
        name=place[1],
        package=place[2],
        state=next(iter(row.states)) if len(row.states) == 1 else ArtifactState.UNKNOWN,
        hosted_by=_keys(groups[number] for number in row.forms),
        missing_on=tuple(sorted(key for number in missing for key in groups[number].running)),
        in_sync=not missing and in_running <= 1,
        failed=ArtifactState.FAILED in row.states,
        variants=tuple(
            Variant(
                form=form,
                usual=forms[0],
                fields=row.fields,
                runtime_keys=_keys(groups[number] for number in by_form[form]),
            )
            for form in forms
        ),
    )


def _frequency(numbers: Iterable[int], groups: Sequence[_Group]) -> tuple[int, int]:
    of_form = [groups[number] for number in numbers]
    return (-sum(len(group.running) for group in of_form), -sum(group.size for group in of_form))


def _keys(groups: Iterable[_Group]) -> tuple[int, ...]:
    return tuple(sorted(key for group in groups for key in (*group.running, *group.others)))


def _differences(form: _Form, base: _Form, fields: tuple[str, ...]) -> str:
    if form == base:
        return "{}"
    told, usual = ([_named(part, fields) for part in each] for each in (form, base))
    if len(told) == len(usual) == 1:
        return _encode({name: value for name, value in told[0].items() if value != usual[0][name]}).decode()
    return _encode({"artifacts": told}).decode()


def _named(part: bytes, fields: tuple[str, ...]) -> dict[str, Any]:  # Any: JSON values
    return dict(zip(fields, msgspec.json.decode(part, type=list[Any]), strict=True))


def without_found_port(artifact: Artifact) -> Artifact:
    """Leave out the port of a listener that takes any: it differs after each start."""
    if isinstance(artifact, Listener) and artifact.takes_any_port:
        return msgspec.structs.replace(artifact, port=None)
    return artifact


def attached(service: Service, row_names: Mapping[str, str]) -> Service:
    """Name a service's listeners as their rows are named."""
    named = tuple(sorted([row_names.get(name, name) for name in service.listeners]))
    return service if named == service.listeners else msgspec.structs.replace(service, listeners=named)


_LISTENER: Final = _TAGS[Listener]


class _Cluster:
    """Things of several runtimes that are one: they are alike, whatever they are called."""

    def __init__(self) -> None:
        self.members: list[Artifact] = []
        self.names: dict[int, str] = {}
        """By group."""

    @property
    def label(self) -> str:
        """What tells it apart for people."""
        return min(member.base_path if isinstance(member, Service) else label_of(member) for member in self.members)


def _row_names(groups: Sequence[_Group]) -> list[dict[_Place, str]]:
    """Find for every group under which names its listeners and services are merged.

    Ballerina names them by the order in which they are discovered: what is alike is one row, whatever it is called where.
    What is not alike and bears the same name in other runtimes shares a row with it as well: there its port or path changed.
    """
    clusters: dict[tuple[str, ...], _Cluster] = {}
    for number, group in enumerate(groups):
        seen: Counter[tuple[str, ...]] = Counter()
        for artifact, mark in marks_of(group.artifacts):
            kind, name, package = place_of(artifact)
            alike = (kind, package, mark)
            seen[alike] += 1
            key = (*alike, str(seen[alike]))  # a second one that is alike in the same runtime is told apart by its turn
            cluster = clusters.get(key)
            if cluster is None:
                cluster = clusters[key] = _Cluster()
            cluster.names[number] = name
            cluster.members.append(artifact)
    taken: dict[_Place, set[int]] = {}
    renamed: list[dict[_Place, str]] = [{} for _ in groups]
    for key in sorted(clusters, key=lambda key: (-sum(groups[n].size for n in clusters[key].names), key)):
        cluster = clusters[key]
        kind, package = key[0], key[1]
        name = _row_name(kind, package, cluster, groups, taken)
        taken.setdefault((kind, name, package), set()).update(cluster.names)
        for number, own in cluster.names.items():
            renamed[number][kind, own, package] = name
    return renamed


def marks_of(artifacts: ArtifactSet) -> Iterable[tuple[Artifact, str]]:
    """List what is named by accident, with what tells it apart by what it is."""
    services = artifacts.services
    of_listener: defaultdict[str, list[Service]] = defaultdict(list)
    for service in services:
        for name in service.listeners:
            of_listener[name].append(service)
    for listener in artifacts.listeners:
        yield listener, fingerprint_of(listener, ArtifactSet(tuple(of_listener.get(listener.name, ()))))
    for service in services:
        yield service, service.base_path


def _row_name(
    kind: str, package: str, cluster: _Cluster, groups: Sequence[_Group], taken: Mapping[_Place, set[int]]
) -> str:
    weights: Counter[str] = Counter()
    for number, name in cluster.names.items():
        weights[name] += groups[number].size
    names = sorted(weights, key=lambda name: (-weights[name], name))
    members = set(cluster.names)
    for name in names:
        others = taken.get((kind, name, package))
        if others is None or others.isdisjoint(members):
            return name
    made = f"{names[0]} ({cluster.label})"
    return next(
        name for number in count(1) if (kind, name := made if number == 1 else f"{made} {number}", package) not in taken
    )
