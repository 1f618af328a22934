"""Figures of several processes in one text: each sample says in the label `worker` whose it is.

They are not summed here: a counter that begins again with its process is told apart from one that goes on by its label alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

LABEL: Final = "worker"


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One value."""

    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    """A metric as one process tells it."""

    name: str
    meaning: str
    kind: str
    samples: list[Sample]


def families_of(registry: CollectorRegistry) -> list[Family]:
    """Take what a registry tells now."""
    return [
        Family(
            metric.name,
            metric.documentation,
            metric.type,
            [Sample(sample.name, dict(sample.labels), float(sample.value)) for sample in metric.samples],
        )
        for metric in registry.collect()
    ]


def text_of(processes: Mapping[str, Sequence[Family]]) -> bytes:
    """Write the figures of processes, given by their names, as Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Together(processes))
    return generate_latest(registry)


class _Together(Collector):
    def __init__(self, processes: Mapping[str, Sequence[Family]]) -> None:
        self._processes = processes

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for process, families in self._processes.items():
            for family in families:
                metric = merged.get(family.name)
                if metric is None:
                    metric = merged[family.name] = Metric(family.name, family.meaning, family.kind)
                for sample in family.samples:
                    metric.add_sample(sample.name, {LABEL: process, **sample.labels}, sample.value)
        return merged.values()
