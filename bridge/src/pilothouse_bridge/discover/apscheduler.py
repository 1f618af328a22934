"""APScheduler's jobs: what runs by the clock, and pausing, resuming or running one of them at once.

Source: APScheduler 3.11; version 4 has other modules and is not touched.
"""

import functools
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

from pilothouse_bridge import _native, _say
from pilothouse_bridge._inventory import ListenerState, Schedule
from pilothouse_bridge._steering import Change, Kind, Outcome, Steerable, SteeringError
from pilothouse_bridge.discover._hooks import Watch
from pilothouse_bridge.discover._naming import attribute_of, source_of
from pilothouse_bridge.discover._trigger_text import trigger_text

_PACKAGE: Final = "apscheduler"
#: Ids that APScheduler makes by itself are UUIDs in hexadecimal: new ones each time the program starts.
_MADE_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_STOPPED: Final = 0
_PAUSED: Final = 2
#: Schedulers that may be told from another thread, or whose event loop takes calls from one.
_STEERED: Final = ("background", "blocking", "asyncio")
_LOOP_LIMIT_S: Final = 10.0
_POLL_S: Final = 0.01
_WAKING: Final = (
    "EVENT_SCHEDULER_STARTED",
    "EVENT_SCHEDULER_SHUTDOWN",
    "EVENT_SCHEDULER_PAUSED",
    "EVENT_SCHEDULER_RESUMED",
    "EVENT_JOB_ADDED",
    "EVENT_JOB_REMOVED",
    "EVENT_JOB_MODIFIED",
)

_Result = TypeVar("_Result")


class APScheduler:
    """Follows every scheduler of the process, whichever kind it is."""

    name = "apscheduler"

    def __init__(self) -> None:
        """Nothing is hooked yet."""
        self._watch = Watch("apscheduler.schedulers.base", "BaseScheduler", self._wrap)
        self._wake: Callable[[], None] = _nobody
        self._lock = _native.lock()
        # A name once given stays with its job, so that a command reaches the job that was shown.
        self._names: dict[tuple[int, str], str] = {}

    def install(self, wake: Callable[[], None]) -> None:
        """Begin to watch."""
        self._wake = wake
        self._watch.install()

    def find(self) -> list[Schedule]:
        """Every job of every scheduler, also of those that are not started yet."""
        return [job.described() for job in self._jobs()]

    def steerables(self) -> list[Steerable]:
        """The same jobs, to be stopped, started and triggered."""
        return list(self._jobs())

    def after_fork(self) -> None:
        """Renew the locks."""
        self._lock = _native.lock()
        self._watch.renew_lock()

    def _jobs(self) -> "list[_Job]":
        self._watch.catch_up()
        with self._lock:
            found = [pair for scheduler, _ in self._watch.roster.live() for pair in _jobs_of(scheduler)]
            keys = {(id(scheduler), job.id) for scheduler, job in found}
            self._names = {key: name for key, name in self._names.items() if key in keys}
            taken = set(self._names.values())
            # Sorted, so that jobs that differ in their arguments alone are numbered alike after each start.
            for scheduler, job in sorted(found, key=_order):
                key = (id(scheduler), job.id)
                if key not in self._names:
                    self._names[key] = _free_name(job, taken)
                    taken.add(self._names[key])
            return [_Job(self._names[id(scheduler), job.id], scheduler, job) for scheduler, job in found]

    def _wrap(self, scheduler_class: type[Any]) -> None:
        original = cast("Callable[[Any, Any], None]", scheduler_class._dispatch_event)  # noqa: SLF001
        events = sys.modules["apscheduler.events"]
        waking = sum(getattr(events, name) for name in _WAKING)

        @functools.wraps(original)
        def dispatch(scheduler: Any, event: Any) -> None:
            original(scheduler, event)
            if event.code & waking:
                self._wake()

        scheduler_class._dispatch_event = dispatch  # noqa: SLF001


def _nobody() -> None:
    """Wake no one: not installed yet."""


def _jobs_of(scheduler: Any) -> Iterator[tuple[Any, Any]]:
    try:
        jobs = list(cast("Iterable[Any]", scheduler.get_jobs()))
    except Exception as error:  # noqa: BLE001 - a job store may be away; other schedulers' jobs are shown all the same
        _say.debug("The jobs of a scheduler cannot be listed: %r", error)
        return
    for job in jobs:
        yield scheduler, job


def _order(found: tuple[Any, Any]) -> tuple[str, str, str]:
    job = found[1]
    return (str(job.func_ref), repr(job.args) + repr(job.kwargs), job.id)


def _free_name(job: Any, taken: set[str]) -> str:
    """The id that the program gave, else the function's reference; told apart by the trigger, then by a number."""
    if _MADE_ID.match(job.id) is None:
        candidates = [str(job.id)]
    else:
        reference = _reference(job)
        candidates = [reference, f"{reference} ({trigger_text(job.trigger)})"]
    for candidate in candidates:
        if candidate not in taken:
            return candidate
    number = 2
    while f"{candidates[-1]} #{number}" in taken:
        number += 1
    return f"{candidates[-1]} #{number}"


def _reference(job: Any) -> str:
    # Lambdas, nested functions and partials have no reference.
    reference = str(job.func_ref or f"{getattr(job.func, '__module__', _PACKAGE)}:{job.name}")
    if reference.startswith("__main__:"):
        return attribute_of(job.func, "__main__") or reference
    return reference


@dataclass
class _Job:
    """A job as it is at this moment, under the name by which commands know it."""

    name: str
    scheduler: Any  # of a library that we do not import
    job: Any
    kind: Kind = Kind.SCHEDULE
    package: str = _PACKAGE

    def described(self) -> Schedule:
        state, reason = self._state()
        return Schedule(self.name, _PACKAGE, state, trigger_text(self.job.trigger), source_of(self.job.func), reason)

    def stop(self, grace_s: float) -> Outcome:
        """Pause it, then wait for the run in hand; a run that takes longer goes on, because it cannot be ended safely."""
        self._check_steerable()
        job = self._current()
        if _is_paused(job) and self._runs() == 0:
            return Outcome(Change.UNCHANGED, f"{self.name} was paused already.")
        in_hand = self._runs()
        self._pause()
        in_hand = max(in_hand, self._runs())  # one may have begun just before
        deadline = time.monotonic() + grace_s
        while self._runs() and time.monotonic() < deadline:
            _native.sleep(_POLL_S)
        left = self._runs()
        if not _is_paused(self._current(default=job)):
            raise _failed(f"{self.name} was resumed by the program while it was being stopped.", "Stop it again.")
        message = f"{self.name} is paused."
        if left:
            message += f" {left} of {in_hand} runs in hand went on after the grace of {grace_s:g} s; no new one begins."
        return Outcome(Change.STOPPED, message, finished=in_hand - left)

    def start(self) -> Outcome:
        """Resume it; a job whose one time passed while it was stopped runs now."""
        self._check_steerable()
        if not _is_paused(self._current()):
            return Outcome(Change.UNCHANGED, f"{self.name} was not paused.")
        next_time, is_late = self._next_time()
        if next_time is None:
            raise _failed(
                f"The schedule of {self.name} is over: there is no further time at which it would run.",
                "Give the job a new trigger in the program.",
            )
        self._home(lambda: self.scheduler.modify_job(self.job.id, next_run_time=next_time))
        state, reason = self._state()
        message = f"{self.name} is resumed; next run {'now' if is_late else f'{next_time:%Y-%m-%d %H:%M:%S %Z}'}."
        return Outcome(Change.STARTED, message if state is not ListenerState.DISABLED else f"{message} {reason}")

    def trigger(self) -> Outcome:
        """Run once, now: handed to the executor by hand, so that neither the schedule nor a pause is touched."""
        self._check_steerable()
        job = self._current()
        executor = self._executor()
        if self.scheduler.state == _STOPPED or executor is None:
            raise SteeringError(
                "NOT_SUPPORTED", 501, f"{self.name} cannot run: its scheduler is not started.", "Start the scheduler."
            )
        is_asyncio = _module_of(executor, "apscheduler.executors.asyncio")
        if not (is_asyncio or _module_of(executor, "apscheduler.executors.pool")):
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                f"{self.name} cannot be triggered: its executor is {type(executor).__name__}.",
                "Run the job by a thread pool, process pool or asyncio executor.",
            )
        if not self._home(functools.partial(_submit, executor, _unhurried(job))):
            raise SteeringError(
                "BUSY",
                409,
                f"{self.name} is running, and it may have no more than {job.max_instances} runs at a time.",
                "Wait for the end of the run, then trigger it again.",
            )
        return Outcome(Change.TRIGGERED, f"{self.name} was started once, now; its schedule is as before.")

    def _state(self) -> tuple[ListenerState, str | None]:
        runs = self._runs()
        if _is_paused(self.job):
            if runs:
                return ListenerState.DRAINING, f"Paused; {runs} run{'s' * (runs > 1)} in hand."
            return ListenerState.DISABLED, "Paused."
        if self.scheduler.state == _STOPPED:
            return ListenerState.DISABLED, "Its scheduler is not started."
        if self.scheduler.state == _PAUSED:
            return ListenerState.DISABLED, "Its scheduler is paused by the program."
        return ListenerState.ENABLED, None

    def _executor(self) -> Any:
        return self.scheduler._executors.get(getattr(self.job, "executor", "default"))  # noqa: SLF001

    def _runs(self) -> int:
        """How many runs are in hand, observed at the executor."""
        counts: dict[str, int] = getattr(self._executor(), "_instances", {})
        return counts.get(self.job.id, 0)

    def _current(self, default: Any = None) -> Any:
        """The job as its store has it now: stores in a database give a copy each time."""
        job = self.scheduler.get_job(self.job.id) or default
        if job is None:
            raise SteeringError(
                "NO_SUCH_ARTIFACT",
                404,
                f"The job {self.name} is gone: it ended or was removed.",
                "Look at the list again.",
            )
        return job

    def _pause(self) -> None:
        # A job that had its last run while we looked is gone: nothing is left to pause.
        self._current()
        self._home(lambda: self.scheduler.pause_job(self.job.id))

    def _next_time(self) -> tuple[datetime | None, bool]:
        now = datetime.now(self.scheduler.timezone)
        next_time = cast("datetime | None", self.job.trigger.get_next_fire_time(None, now))
        if next_time is not None and next_time < now:
            # APScheduler would call it missed and drop the job for good.
            return now, True
        return next_time, False

    def _check_steerable(self) -> None:
        modules = {cls.__module__ for cls in type(self.scheduler).__mro__}
        known = any(f"apscheduler.schedulers.{name}" in modules for name in _STEERED)
        if not known or "apscheduler.schedulers.gevent" in modules:
            raise SteeringError(
                "NOT_SUPPORTED",
                501,
                f"{self.name} belongs to a {type(self.scheduler).__name__}, which cannot be steered from outside its loop.",
                "Use a BackgroundScheduler, BlockingScheduler or AsyncIOScheduler.",
            )

    def _home(self, act: Callable[[], _Result]) -> _Result:
        """Act where the program's own listeners expect it: on the scheduler's event loop when it has one."""
        loop = getattr(self.scheduler, "_eventloop", None)
        try:
            if loop is None or not loop.is_running():
                return act()
            future: Future[_Result] = Future()
            loop.call_soon_threadsafe(_settle, future, act)
            return future.result(_LOOP_LIMIT_S)
        except FutureTimeoutError:
            raise _failed(
                f"The event loop of {self.name} did not answer within {_LOOP_LIMIT_S:g} s.",
                "Look for code that blocks the event loop.",
            ) from None
        except SteeringError:
            raise
        except Exception as error:
            raise _failed(f"APScheduler refused for {self.name}: {error!r}", "See the program's log.") from error


def _settle(future: "Future[_Result]", act: Callable[[], _Result]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(act())
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
        future.set_exception(error)


def _submit(executor: Any, job: Any) -> bool:
    """Whether the executor took it; it refuses while as many runs are in hand as the program allows."""
    try:
        executor.submit_job(job, [datetime.now(UTC)])
    except Exception as error:
        if type(error).__name__ == "MaxInstancesReachedError":
            return False
        raise
    return True


def _unhurried(job: Any) -> Any:
    """A copy that is never "missed": whoever asks for a run wants it, even if the pool is busy for a while."""
    cls = cast("Any", type(job))
    copy = cls.__new__(cls)
    for attribute in cls.__slots__:
        if attribute != "__weakref__" and hasattr(job, attribute):
            setattr(copy, attribute, getattr(job, attribute))
    copy.misfire_grace_time = None
    return copy


def _is_paused(job: Any) -> bool:
    """A job of a scheduler that is not started has no time yet, unless it was paused."""
    return hasattr(job, "next_run_time") and job.next_run_time is None


def _module_of(instance: object, module: str) -> bool:
    return any(cls.__module__ == module for cls in type(instance).__mro__)


def _failed(message: str, fix: str) -> SteeringError:
    return SteeringError("FAILED", 500, message, fix)
