"""Waiting for what commands come to, told by scripted answers."""

import json

import httpx2
import pytest
from pilothouse.cli.output import Form, Output
from pilothouse.cli.remote import Session
from pilothouse.cli.runtimes import tell_commands
from pilothouse.cli.waiting import Waiting, judge
from pilothouse.client.credentials import FixedToken
from pilothouse.client.errors import TIMED_OUT, Failed, WaitedTooLong, status_of
from pilothouse.client.graphql import Client
from pilothouse.client.http import Connection
from pilothouse.client.tls import context_for

ENDS = ["CONFIRMED", "FAILED", "EXPIRED", "SUPERSEDED"]


def command(state: str, number: int = 1, reason: str = "Because.") -> dict:
    runtime = {"name": f"node-{number}", "runtimeId": f"r{number}"}
    return {"id": f"c{number}", "state": state, "reason": reason, "runtime": runtime}


class Plane:
    """A control plane whose commands go through the states that were scripted, a question at a time; time stands else."""

    def __init__(self, *answers: list[dict | None] | BaseException) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        ids = list(json.loads(request.content)["variables"].values())
        self.asked.append(ids)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return httpx2.Response(200, json={"data": {f"c{at}": each for at, each in enumerate(answer)}})

    @property
    def client(self) -> Client:
        connection = Connection("https://localhost:9446", context_for(None, None), transport=httpx2.MockTransport(self))
        return Client(connection, FixedToken("t"))

    def waiting(self, out: Output) -> Waiting:
        return Waiting(self.client, out, clock=lambda: sum(self.pauses), sleep=self.pauses.append)


def test_a_command_is_followed_to_its_end_and_each_state_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    plane = Plane([command("QUEUED")], [command("DELIVERED")], [command("DELIVERED")], [command("CONFIRMED")])

    ended = plane.waiting(Output()).follow([command("QUEUED", reason="")], 90)
    judge(ended)

    assert [each["state"] for each in ended] == ["CONFIRMED"]
    told = capsys.readouterr()
    assert told.err.splitlines() == ["node-1: queued", "node-1: delivered: Because.", "node-1: confirmed: Because."]
    assert told.out == ""
    assert plane.pauses == pytest.approx([0.2, 0.3, 0.45, 0.675])


@pytest.mark.parametrize("state", ENDS[1:])
def test_another_end_than_confirmed_is_a_failure_with_its_reason(state: str) -> None:
    ended = Plane([command(state)]).waiting(Output()).follow([command("QUEUED")], 90)

    with pytest.raises(Failed, match=f"1 of 1 command did not do it: node-1: {state.lower()}: Because\\."):
        judge(ended)


def test_only_those_that_go_on_are_asked_about_and_all_are_given() -> None:
    plane = Plane([command("CONFIRMED", 1), command("DELIVERED", 2)], [command("FAILED", 2)])

    ended = plane.waiting(Output()).follow([command("QUEUED", 1), command("QUEUED", 2), command("CONFIRMED", 3)], 90)

    assert plane.asked == [["c1", "c2"], ["c2"]]
    assert [each["state"] for each in ended] == ["CONFIRMED", "FAILED", "CONFIRMED"]
    with pytest.raises(Failed, match="1 of 3 commands did not do it: node-2: failed"):
        judge(ended)


def test_many_commands_are_asked_about_in_parts() -> None:
    numbers = range(1, 31)
    plane = Plane([command("CONFIRMED", n) for n in range(1, 26)], [command("CONFIRMED", n) for n in range(26, 31)])

    ended = plane.waiting(Output(quiet=True)).follow([command("QUEUED", n) for n in numbers], 90)

    assert [len(ids) for ids in plane.asked] == [25, 5]
    assert len(ended) == 30


def test_many_failures_are_told_shortly() -> None:
    with pytest.raises(Failed) as told:
        judge([command("FAILED", number) for number in range(12)])

    assert told.value.message.count("failed") == 10
    assert told.value.message.endswith("; and 2 more")


def test_it_waits_no_longer_than_it_may_and_says_where_the_command_stands() -> None:
    plane = Plane(*[[command("DELIVERED")]] * 50)

    with pytest.raises(WaitedTooLong) as told:
        plane.waiting(Output()).follow([command("QUEUED")], 5)

    assert sum(plane.pauses) == pytest.approx(5)
    assert max(plane.pauses) <= 2
    assert status_of(told.value) == TIMED_OUT
    assert told.value.message == "1 of 1 command not ended within 5 s (node-1: delivered: Because)."
    assert "pilothouse commands show c1" in told.value.fix


def test_nothing_is_waited_for_where_everything_has_ended_or_no_time_is_given() -> None:
    plane = Plane()

    assert plane.waiting(Output()).follow([command("CONFIRMED")], 90) == [command("CONFIRMED")]
    with pytest.raises(WaitedTooLong):
        plane.waiting(Output()).follow([command("QUEUED")], 0)
    assert plane.asked == []


def test_an_interruption_ends_the_waiting_alone_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    plane = Plane([command("CONFIRMED", 1), command("DELIVERED", 2)], KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        plane.waiting(Output(quiet=True)).follow([command("QUEUED", 1), command("QUEUED", 2)], 90)

    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "Waiting was interrupted, 1 command of 2 not ended: that goes on without you. "
        "See `pilothouse commands show c2`.\n"
    )


def test_a_command_whose_runtime_was_removed_meanwhile_is_told() -> None:
    with pytest.raises(Failed, match="c1 is gone: its runtime was removed"):
        Plane([None]).waiting(Output()).follow([command("QUEUED")], 90)


def session_of(plane: Plane, form: Form = Form.TABLE) -> Session:
    session = Session(output=form)
    session.__dict__["client"] = plane.client
    return session


def test_where_no_runtime_runs_nothing_is_called_confirmed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WaitedTooLong, match="no runtime is running now, 2 runtimes will follow when back"):
        tell_commands(session_of(Plane()), [], wait=True, timeout_s=90, waiting=2)
    assert capsys.readouterr().out == ""

    tell_commands(session_of(Plane()), [], wait=False, timeout_s=90, waiting=2)
    told = capsys.readouterr()
    assert told.err == "Not running now: 2 runtimes; to follow when back.\n"
    assert "Confirmed" not in told.out


def test_those_that_run_may_confirm_while_others_follow(capsys: pytest.CaptureFixture[str]) -> None:
    tell_commands(session_of(Plane()), [command("CONFIRMED")], wait=True, timeout_s=90, waiting=1)

    told = capsys.readouterr()
    assert told.out == "Confirmed by 1 of 1 runtime.\n"
    assert "Not running now: 1 runtime;" in told.err


def test_a_program_reads_where_commands_stand_when_the_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WaitedTooLong):
        tell_commands(session_of(Plane(), Form.JSON), [command("QUEUED")], wait=True, timeout_s=0)

    assert json.loads(capsys.readouterr().out) == [command("QUEUED")]
