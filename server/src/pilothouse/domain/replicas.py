"""Replicas side by side: what each reports of what can be steered, what is desired, and where they differ.

Runtimes that report the same are compared once: sets are content-addressed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from pilothouse.domain.artifacts import Artifact, ArtifactState
from pilothouse.domain.artifacts.artifact_set import ArtifactSet
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.steering import (
    STEERABLE,
    Aspect,
    Observed,
    SteerableKind,
    Target,
    Wish,
    is_met,
    is_suspended,
    label_of,
    observe,
)

DRIFTS_MAX = 50
_NAMES_MAX = 5


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Runtimes that report the same."""

    runtime_keys: tuple[int, ...]
    artifacts: ArtifactSet
    log_levels: Mapping[str, str]
    observed: Observed


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A value, and who reports it."""

    value: str
    reason: str | None
    runtime_keys: tuple[int, ...]


class ComparedAspect(msgspec.Struct, frozen=True, kw_only=True):
    """One aspect over all replicas."""

    target: Target
    wish: Wish | None
    suspended: bool
    seen: tuple[Seen, ...]
    """Most frequent first; of running replicas only."""
    in_sync: bool


class ComparedArtifact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing over all replicas."""

    kind: SteerableKind
    name: str
    package: str
    label: str
    aspects: tuple[ComparedAspect, ...]
    missing_on: tuple[int, ...]

    @property
    def differs(self) -> bool:
        """Whether replicas disagree on it, or with what is desired."""
        return bool(self.missing_on) or not all(aspect.in_sync for aspect in self.aspects)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A way in which running replicas differ."""

    message: str
    kind: SteerableKind | None
    name: str | None
    runtime_keys: tuple[int, ...]


def group(runtime_type: RuntimeType, reports: Sequence[tuple[int, ArtifactSet, Mapping[str, str]]]) -> list[Group]:
    """Put runtimes together that report the same."""
    together: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    parts: dict[tuple[int, bytes], tuple[ArtifactSet, Mapping[str, str]]] = {}
    for key, artifacts, log_levels in reports:
        place = (id(artifacts), msgspec.json.encode(sorted(log_levels.items())))
        together[place].append(key)
        parts[place] = (artifacts, log_levels)
    return [
        Group(
            runtime_keys=tuple(keys),
            artifacts=parts[place][0],
            log_levels=parts[place][1],
            observed=observe(runtime_type, *parts[place]),
        )
        for place, keys in together.items()
    ]


def compare(
    runtime_type: RuntimeType, running: Sequence[Group], others: Sequence[Group], wishes: Sequence[Wish]
) -> list[ComparedArtifact]:
    """Compare replicas, by kind and name. What only silent runtimes host is listed without a value."""
    wished = {wish.target: wish for wish in wishes}
    targets = {target for each in (*running, *others) for target in each.observed.values} | set(wished)
    of_artifact: defaultdict[tuple[SteerableKind, str, str], list[Target]] = defaultdict(list)
    for target in targets:
        of_artifact[target.kind, target.name, target.package].append(target)
    labels = _labels(runtime_type, (*others, *running))
    order = {kind: number for number, kind in enumerate(SteerableKind)}
    aspects = {aspect: number for number, aspect in enumerate(Aspect)}
    return [
        ComparedArtifact(
            kind=kind,
            name=name,
            package=package,
            label=labels.get((kind, name, package), ""),
            aspects=tuple(
                _compare_aspect(target, running, wished.get(target))
                for target in sorted(of_artifact[kind, name, package], key=lambda target: aspects[target.aspect])
            ),
            missing_on=_missing(of_artifact[kind, name, package], running),
        )
        for kind, name, package in sorted(of_artifact, key=lambda each: (order[each[0]], each[1], each[2]))
    ]


def differences(compared: Sequence[ComparedArtifact], names: Mapping[int, str]) -> list[Difference]:
    """Say in sentences how running replicas differ from each other."""
    found: list[Difference] = []
    for artifact in compared:
        if artifact.missing_on:
            found.append(_missing_sentence(artifact, names))
        for aspect in artifact.aspects:
            if len(aspect.seen) > 1:
                parts = ", ".join(f"{seen.value} on {_names(seen.runtime_keys, names)}" for seen in aspect.seen)
                found.append(
                    Difference(
                        message=f"{artifact.kind.value} {artifact.name}, {aspect.target.aspect.value}: {parts}.",
                        kind=artifact.kind,
                        name=artifact.name,
                        runtime_keys=tuple(key for seen in aspect.seen[1:] for key in seen.runtime_keys),
                    )
                )
        if len(found) >= DRIFTS_MAX:
            break
    return found[:DRIFTS_MAX]


def _compare_aspect(target: Target, running: Sequence[Group], wish: Wish | None) -> ComparedAspect:
    by_value: defaultdict[str, list[int]] = defaultdict(list)
    reasons: dict[str, str] = {}
    for each in running:
        value = each.observed.value_of(target)
        if value is not None:
            by_value[value].extend(each.runtime_keys)
            if target in each.observed.reasons:
                reasons[value] = each.observed.reasons[target]
    seen = tuple(
        Seen(value=value, reason=reasons.get(value), runtime_keys=tuple(sorted(keys)))
        for value, keys in sorted(by_value.items(), key=lambda item: (-len(item[1]), item[0]))
    )
    agree, as_wished = len(seen) <= 1, bool(seen) and all(is_met(wish.value, each.value) for each in seen if wish)
    return ComparedAspect(
        target=target,
        wish=wish,
        suspended=wish is not None and any(is_suspended(wish, each.observed) for each in running),
        seen=seen,
        in_sync=agree if wish is None else as_wished,
    )


def _missing(targets: Sequence[Target], running: Sequence[Group]) -> tuple[int, ...]:
    if targets[0].kind is SteerableKind.LOGGER:
        return ()  # a logger that is not listed is not missing: it has no level of its own
    lacking = [each for each in running if not any(target in each.observed.values for target in targets)]
    if len(lacking) == len(running):
        return ()
    return tuple(sorted(key for each in lacking for key in each.runtime_keys))


def _labels(runtime_type: RuntimeType, groups: Sequence[Group]) -> dict[tuple[SteerableKind, str, str], str]:
    kinds = {kind.value: kind for kind in STEERABLE[runtime_type]}
    labels: dict[tuple[SteerableKind, str, str], str] = {}
    for each in groups:
        for artifact in each.artifacts.artifacts:
            kind = kinds.get(str(artifact.__struct_config__.tag))
            if kind is not None:
                labels[kind, artifact.name, getattr(artifact, "package", "")] = label_of(artifact)
    return labels


def _missing_sentence(artifact: ComparedArtifact, names: Mapping[int, str]) -> Difference:
    return Difference(
        message=f"{artifact.kind.value} {artifact.name} is missing on {_names(artifact.missing_on, names)}.",
        kind=artifact.kind,
        name=artifact.name,
        runtime_keys=artifact.missing_on,
    )


def _names(keys: Sequence[int], names: Mapping[int, str]) -> str:
    shown = [names.get(key, "?") for key in keys[:_NAMES_MAX]]
    more = f" and {len(keys) - _NAMES_MAX} more" if len(keys) > _NAMES_MAX else ""
    return ", ".join(shown) + more


def facts_of(artifact: Artifact) -> list[tuple[str, str]]:
    """List what an artifact reports beside its name and states, as text; parts with parts of their own as JSON."""
    facts: list[tuple[str, str]] = []
    for field in msgspec.structs.fields(type(artifact)):
        value = getattr(artifact, field.name)
        if field.name in _ELSEWHERE or value is None or value in ("", ()):
            continue
        if isinstance(value, ArtifactState):
            facts.append((field.name, value.value))
        elif isinstance(value, bool):
            facts.append((field.name, "yes" if value else "no"))
        elif isinstance(value, tuple):
            facts.append((field.name, _parts(cast("tuple[object, ...]", value))))
        else:
            facts.append((field.name, str(value)))
    return facts


def _parts(parts: tuple[object, ...]) -> str:
    if all(isinstance(part, str) for part in parts):
        return ", ".join(str(part) for part in parts)
    return msgspec.json.encode(parts).decode()


_ELSEWHERE = frozenset({"name", "package", "state", "tracing", "statistics"})
