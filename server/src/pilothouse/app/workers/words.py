"""What parent and workers say to each other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from pilothouse.app.workers.line import Trouble
from pilothouse.config import Settings
from pilothouse.observe.together import Family
from pilothouse.telemetry.stores.embedded.frames import Question, Sort

# From a worker to the parent.


class Enter(msgspec.Struct, frozen=True, tag="enter"):
    """Asks what to do; answered by `Task`."""


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """Both ports are served."""

    first_password: str | None
    """The first administrator's password, if this worker generated it just now."""


class CannotServe(msgspec.Struct, frozen=True, tag="cannot"):
    """It ends, since it cannot start."""

    trouble: Trouble


class AskFigures(msgspec.Struct, frozen=True, tag="figures"):
    """Asks for the figures of all others; answered by `AllFigures`."""


class AskStates(msgspec.Struct, frozen=True, tag="states"):
    """Asks how all others are; answered by `AllStates`."""


class Append(msgspec.Struct, frozen=True, kw_only=True, tag="append"):
    """Records for the telemetry store, packed as its journal has them; answered when they are on disk."""

    sort: Sort
    records: int
    payload: bytes


class PutQuestion(msgspec.Struct, frozen=True, kw_only=True, tag="question"):
    """A question to the telemetry store; answered by what its process answers."""

    question: Question
    timeout_s: float


class AskWaiting(msgspec.Struct, frozen=True, tag="waiting"):
    """Asks what waits before the telemetry store; answered by `Waiting`."""


ToParent: TypeAlias = Enter | Ready | CannotServe | AskFigures | AskStates | Append | PutQuestion | AskWaiting

# From the parent to a worker.


class GiveFigures(msgspec.Struct, frozen=True, tag="give_figures"):
    """Answered by a list of families."""


class GiveState(msgspec.Struct, frozen=True, tag="give_state"):
    """Answered by `WorkerState`. Who does not answer for long is ended."""


class ConfigureExample(msgspec.Struct, frozen=True, kw_only=True, tag="example"):
    """Gives the example a secret in its Config.toml; answered by the folder, or nothing when this installation has none."""

    runtime_url: str


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Asks it to finish what is under way and end."""


ToWorker: TypeAlias = GiveFigures | GiveState | ConfigureExample | Stop

# Answers.


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker works with."""

    settings: Settings
    certificate: Path
    certificate_key: Path
    listening: Mapping[str, int]
    """Descriptor of the listening socket by the listener's name."""


class WorkerState(msgspec.Struct, frozen=True, kw_only=True):
    """How a worker is."""

    state: str
    """A `State`'s value."""
    why: str
    """The first part that is so, and its sentence; nothing of one that is ready."""


class AllFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures by the name of the process."""

    of: Mapping[str, list[Family]]


class AllStates(msgspec.Struct, frozen=True, kw_only=True):
    """How the workers are."""

    wanted: int
    running: int
    """Those that serve, the asker included."""
    others: Mapping[int, WorkerState]
    """By number, those that serve, without the asker."""


def _as_text(value: Any) -> str:  # Any: msgspec's encoding hook
    return str(value)


def _from_text(type_: type, value: Any) -> Any:  # Any: msgspec's decoding hook
    return Path(value) if type_ is Path else value


def written(words: msgspec.Struct) -> bytes:
    """Write something to be sent."""
    return msgspec.msgpack.encode(words, enc_hook=_as_text)


def read_task(body: bytes) -> Task:
    """Read what a worker works with."""
    return msgspec.msgpack.decode(body, type=Task, dec_hook=_from_text)
