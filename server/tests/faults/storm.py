"""A storm over real ports: runtimes beat and a person wishes without a pause, and everybody remembers what was answered."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from driver import GONE, TLS, Person, Sender

PATIENCE_S = 90.0
"""Longer than any limit of ours: who waits for so long was left hanging."""
PAUSE_S = 0.02


@dataclass
class Heard:
    """What was answered, by all."""

    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    """Of everything that was not well."""
    slowest_s: float = 0.0
    hung_up: int = 0
    """Connections that ended without an answer."""

    def forget(self) -> None:
        """Begin anew, for what comes from here on."""
        self.statuses.clear()
        self.codes.clear()
        self.slowest_s, self.hung_up = 0.0, 0


@dataclass
class Runtime(Sender):
    """A runtime that notes every answer, and every command each time it gets it."""

    notes: Heard = field(default_factory=Heard)
    handed_over: Counter[str] = field(default_factory=Counter)
    again: set[str] = field(default_factory=set)
    """Commands that came once more after their result was heard."""
    is_delta_next: bool = False

    def post(self, line: http.client.HTTPConnection, path: str, body: Any) -> tuple[int, Any]:
        began = time.monotonic()
        status, answer = super().post(line, path, body)
        self.notes.slowest_s = max(self.notes.slowest_s, time.monotonic() - began)
        self.notes.statuses[status] += 1
        if status >= 400:
            self.notes.codes[answer["code"]] += 1
        for command in answer.get("commands") or ():
            self.handed_over[command["commandId"]] += 1
            if command["commandId"] in self.results_taken:
                self.again.add(command["commandId"])
        return status, answer

    def beat(self, line: http.client.HTTPConnection) -> None:
        """Now and again by delta, as real ones do most of the time."""
        self.is_delta_next = not self.is_delta_next
        if self.is_delta_next or not self.acknowledged or self.sent > self.acknowledged:
            super().beat(line)
        else:
            self.delta(line)

    def delta(self, line: http.client.HTTPConnection) -> int:
        """Say that nothing is new; 200 when that was heard."""
        told = {"runtimeId": self.runtime_id, "runtimeHash": f"h{self.acknowledged}"}
        return self.post(line, "/icp/deltaHeartbeat", told)[0]


@dataclass
class Wisher(Person):
    """A person who notes every answer."""

    notes: Heard = field(default_factory=Heard)
    projects: set[str] = field(default_factory=set)
    """Handles of the projects whose making was acknowledged."""

    def ask(self, line: http.client.HTTPConnection, query: str, **variables: Any) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Cookie": self.cookie}
        began = time.monotonic()
        line.request("POST", "/graphql", json.dumps({"query": query, "variables": variables}), headers)
        response = line.getresponse()
        answer = json.loads(response.read())
        self.notes.slowest_s = max(self.notes.slowest_s, time.monotonic() - began)
        self.notes.statuses[response.status] += 1
        codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
        self.notes.codes.update([*codes, *([answer["code"]] if "code" in answer else [])])
        return answer.get("data") or {}

    def make(self, line: http.client.HTTPConnection) -> None:
        """Make a project."""
        query = "mutation ($input: CreateProjectInput!) { createProject(input: $input) { handle } }"
        handle = f"made-{sum(self.notes.statuses.values())}-{len(self.projects)}"
        made = self.ask(line, query, input={"displayName": handle}).get("createProject")
        if made:
            self.projects.add(handle)


class Storm:
    """Everybody at once, each on a thread and a connection of their own."""

    def __init__(self, runtimes: Sequence[Runtime], person: Wisher, ids: Sequence[str], quiet: Runtime) -> None:
        self.runtimes, self.person, self.ids = list(runtimes), person, list(ids)
        self.acts_a_connection = 1_000_000
        """So often something is sent over one connection; then another one is made, which may lead elsewhere."""
        self.quiet = quiet
        """Another integration's, of which nothing is ever asked; it beats by delta, when a test has it do so."""
        self._is_over = threading.Event()
        self._failures: list[BaseException] = []

    @property
    def everybody(self) -> list[Runtime]:
        """List all runtimes, also the quiet one."""
        return self.runtimes if self.quiet in self.runtimes else [*self.runtimes, self.quiet]

    @property
    def acknowledged(self) -> int:
        """How many messages were."""
        heard = sum(each.heard + len(each.results_taken) for each in self.runtimes)
        return heard + self.person.wish_acknowledged + len(self.person.projects)

    def notes(self) -> Heard:
        """What was answered to everybody since the last time they forgot."""
        everybody = [*(each.notes for each in self.runtimes), self.person.notes]
        whole = Heard(slowest_s=max(each.slowest_s for each in everybody), hung_up=sum(e.hung_up for e in everybody))
        for each in everybody:
            whole.statuses.update(dict(each.statuses))
            whole.codes.update(dict(each.codes))
        return whole

    def forget(self) -> None:
        """Count answers anew."""
        for each in (*(runtime.notes for runtime in self.runtimes), self.person.notes):
            each.forget()

    def wait_for(self, more: int, within_s: float = 60.0) -> None:
        """Wait until so many more messages were acknowledged."""
        enough = self.acknowledged + more
        self.wait_until(lambda: self.acknowledged >= enough, within_s)

    def wait_until(self, question: Callable[[], bool], within_s: float = 60.0) -> None:
        """Wait until something is so, of what was answered."""
        end = time.monotonic() + within_s
        while not question():
            self.check()
            assert time.monotonic() < end, self.notes()
            time.sleep(0.01)

    def check(self) -> None:
        """Fail with what failed on a thread."""
        for failure in self._failures:
            raise failure

    @contextmanager
    def raging(self, runtimes: Callable[[], int], console: Callable[[], int]) -> Iterator[None]:
        """Have everybody send. The ports may be others from one connection to the next."""
        work = [
            *(
                threading.Thread(target=self._go_on, args=(each.notes, runtimes, True, each.beat))
                for each in self.runtimes
            ),
            threading.Thread(target=self._go_on, args=(self.person.notes, console, False, self._act)),
        ]
        for each in work:
            each.start()
        try:
            yield
        finally:
            self._is_over.set()
            for each in work:
                each.join(PATIENCE_S + 10)
        self.check()
        assert not any(each.is_alive() for each in work)

    def _go_on(
        self, notes: Heard, port: Callable[[], int], is_secure: bool, act: Callable[[http.client.HTTPConnection], None]
    ) -> None:
        try:
            while not self._is_over.is_set():
                line = line_to(port()) if is_secure else asking(port())
                try:
                    for _ in range(self.acts_a_connection):
                        if self._is_over.is_set():
                            break
                        act(line)
                        time.sleep(PAUSE_S)
                except TimeoutError:
                    raise AssertionError(f"nothing was answered for {PATIENCE_S} s") from None
                except GONE:
                    notes.hung_up += 1
                    time.sleep(PAUSE_S)
                finally:
                    with suppress(*GONE):
                        line.close()
        except BaseException as failure:  # noqa: BLE001 - told by `check`
            self._failures.append(failure)

    def _act(self, line: http.client.HTTPConnection) -> None:
        turn = sum(self.person.notes.statuses.values()) % 4
        if turn == 0:
            self.person.make(line)
        elif turn == 1:
            asked = "mutation ($input: AskRuntimeInput!) { askRuntime(input: $input) { id } }"
            made = self.person.ask(line, asked, input={"runtime": self.ids[0], "question": "LOGGERS"})
            if made:
                self.person.asked.add(made["askRuntime"]["id"])
        else:
            self.person.wish(line, "DISABLED" if self.person.wished % 2 else "ENABLED")


def asking(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)


def line_to(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE_S, context=TLS)


def gather(password: str, runtimes: int, console: int, size: int = 4) -> Storm:
    """Sign in, make secrets, and have a fleet known."""
    person = Wisher(password)
    person.sign_in(console)
    secret = person.secret(console)
    fleet = [Runtime(f"r{number}", secret) for number in range(size)]
    quiet = Runtime("quiet", person.secret(console), integration="Quiet")
    line = line_to(runtimes)
    for each in (*fleet, quiet):
        each.beat(line)
        assert each.acknowledged == 1
    assert quiet.delta(line) == 200  # from here on its key is known, bound
    line.close()
    desk = asking(console)
    known = '{ runtimes(filter: {project: "retail-core", integration: "order-intake"}) { nodes { id } } }'
    nodes = person.ask(desk, known)["runtimes"]["nodes"]
    desk.close()
    return Storm(fleet, person, [node["id"] for node in nodes], quiet)
