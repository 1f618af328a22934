"""The store's process: reads questions from a socket, answers each in a thread, and ends when nobody is at the other end.

Started as `python -m pilothouse.telemetry.stores.embedded.process <descriptor> <settings>`.
"""

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

import duckdb
import msgspec

from pilothouse.base.errors import InvalidInput
from pilothouse.telemetry.errors import QuestionTimeout
from pilothouse.telemetry.stores.embedded import figures, lines, spans
from pilothouse.telemetry.stores.embedded.asking import Asking
from pilothouse.telemetry.stores.embedded.frames import (
    LENGTH_OCTETS,
    Advanced,
    Answer,
    Arrived,
    Ask,
    AskUsage,
    Cancel,
    Count,
    Failure,
    Fault,
    Flushed,
    FromProcess,
    Levels,
    Lines,
    Metrics,
    Names,
    Ready,
    Retain,
    Sort,
    SpanList,
    SpansOf,
    Stop,
    ToProcess,
    Traces,
    framed,
)
from pilothouse.telemetry.stores.embedded.keeper import Keeper
from pilothouse.telemetry.stores.embedded.settings import EmbeddedSettings, read_settings

_CATCH_UP_SHARE = 0.8
"""Of a question's time, how much it waits for what was acknowledged before it. An answer without it would be a wrong one."""
_WAITING_MAX = 256
"""Questions that wait for a thread. Beyond it they are answered with `BUSY`."""


class Process:
    """The socket's end."""

    def __init__(self, connection: socket.socket, settings: EmbeddedSettings) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._keeper = Keeper(settings, lambda sort, number: self._send(Flushed(sort=sort, number=number)))
        self._pool = ThreadPoolExecutor(settings.questions_at_once, thread_name_prefix="question")
        self._lock = threading.Lock()
        self._asked: dict[int, Asking | None] = {}
        """What waits (None) or runs; what was cancelled is not in it any more."""

    def serve(self) -> None:
        """Answer until the other end closes or says stop."""
        self._send(Ready(flushed={sort: self._keeper.highest(sort) for sort in Sort}))
        watch = threading.Thread(target=self._watch, name="watch", daemon=True)
        watch.start()
        decoder = msgspec.msgpack.Decoder(ToProcess)
        with self._connection.makefile("rb") as file:
            while len(head := file.read(LENGTH_OCTETS)) == LENGTH_OCTETS:
                message: ToProcess = decoder.decode(file.read(int.from_bytes(head, "big")))
                match message:
                    case Advanced():
                        self._keeper.advance(message.sort, message.next_number)
                    case Cancel():
                        self._cancel(message.id)
                    case Ask():
                        self._ask(message)
                    case Stop():
                        break
                    case _:
                        assert_never(message)
        with self._lock:
            asked = list(self._asked)
        for id_ in asked:
            self._cancel(id_)
        self._pool.shutdown(cancel_futures=True)
        self._keeper.stop()

    def _send(self, message: FromProcess) -> None:
        with self._sending, contextlib.suppress(OSError):  # nobody there: serve() sees it
            self._connection.sendall(framed(message))

    def _ask(self, ask: Ask) -> None:
        for sort, number in ask.durable.items():
            self._keeper.advance(sort, number)
        if isinstance(ask.question, Retain):
            self._keeper.retain(ask.question, lambda gone: self._send(_answer(ask.id, gone)))
            return
        with self._lock:
            full = len(self._asked) >= _WAITING_MAX
            if not full:
                self._asked[ask.id] = None
        if full:
            self._send(Failure(id=ask.id, fault=Fault.BUSY, message="Too many questions wait."))
        else:
            self._pool.submit(self._work, ask, time.monotonic())

    def _cancel(self, id_: int) -> None:
        with self._lock:
            asking = self._asked.pop(id_, None)
        if asking is not None:
            asking.stop()

    def _watch(self) -> None:
        """Stop what has run out of time."""
        while True:
            time.sleep(0.02)
            now_s = time.monotonic()
            with self._lock:
                late = [asking for asking in self._asked.values() if asking is not None and asking.until_s < now_s]
            for asking in late:
                asking.stop()

    def _work(self, ask: Ask, asked_s: float) -> None:
        left_s = ask.timeout_s - (time.monotonic() - asked_s)
        with self._lock:
            if ask.id not in self._asked:
                return
            asking = Asking(self._keeper.database, max(left_s, 0.0))
            self._asked[ask.id] = asking
        try:
            if not self._keeper.wait_for(ask.durable, time.monotonic() + max(left_s, 0.0) * _CATCH_UP_SHARE):
                raise QuestionTimeout(timeout_s=ask.timeout_s)  # noqa: TRY301 - answered below like any other
            reply: FromProcess = _answer(ask.id, self._answer(asking, ask))
        except QuestionTimeout:
            reply = Failure(id=ask.id, fault=Fault.TIMEOUT, message="")
        except InvalidInput as error:
            reply = Failure(id=ask.id, fault=Fault.INVALID, message=error.message, field=error.field, fix=error.fix)
        except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
            fix = "Write it in the language of RE2."
            reply = Failure(id=ask.id, fault=Fault.INVALID, message=str(error), field="regex", fix=fix)
        except duckdb.OutOfMemoryException:
            reply = Failure(id=ask.id, fault=Fault.FULL, message="The answer needs more memory than it may use.")
        except duckdb.FatalException:
            os._exit(os.EX_SOFTWARE)
        except Exception as error:  # noqa: BLE001 - an edge: the asker must hear of it
            reply = Failure(id=ask.id, fault=Fault.BROKEN, message=f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._asked.pop(ask.id, None)
            asking.close()
        self._send(reply)

    def _answer(self, asking: Asking, ask: Ask) -> object:  # noqa: C901, PLR0911, PLR0912 - one line a question
        question = ask.question
        regex = question.filter.regex if isinstance(question, Lines | Arrived | Count | Levels) else ""
        if regex:
            asking.run(
                "SELECT regexp_matches('', ?)", [regex]
            )  # so that a wrong one is refused where there is nothing yet
        logs, keeper = self._keeper.shelves(Sort.LOGS), self._keeper
        match question:
            case Lines():
                return lines.list_lines(asking, logs, question)
            case Arrived():
                return lines.list_arrivals(asking, logs, question, keeper.seen(Sort.LOGS))
            case Count():
                return lines.count_lines(asking, logs, question.scope, question.filter)
            case Levels():
                return lines.count_levels(asking, logs, question.scope, question.filter, question.step_s)
            case Metrics():
                return figures.tell_figures(asking, keeper.shelves(Sort.METRICS), question)
            case Names():
                return figures.list_names(asking, keeper.shelves(Sort.METRICS), question.scope)
            case SpanList():
                return spans.list_spans(asking, keeper.shelves(Sort.SPANS), question)
            case Traces():
                return spans.list_traces(asking, keeper.shelves(Sort.SPANS), question)
            case SpansOf():
                return spans.spans_of(asking, keeper.shelves(Sort.SPANS), question.scope, question.trace_ids)
            case AskUsage():
                return keeper.usage()
            case Retain():
                raise InvalidInput("That is not a question.")
            case _:
                assert_never(question)


def _answer(id_: int, body: object) -> Answer:
    return Answer(id=id_, body=msgspec.Raw(msgspec.msgpack.encode(body)))


def main(start: Callable[[socket.socket, EmbeddedSettings], Process] = Process) -> None:
    """Run the process until its other end closes; Ctrl-C is the control plane's to obey."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(200_000, 20, 50)  # rows come and go in thousands, and hold no cycles
    connection = socket.socket(fileno=int(sys.argv[1]))
    start(connection, read_settings(sys.argv[2])).serve()
    sys.stdout.flush()
    os._exit(0)  # DuckDB's binding reports leaks of its own at an ordinary exit


if __name__ == "__main__":
    main()
