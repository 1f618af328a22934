"""The rules of an exchange, without sockets; over real ones they are in `serving/test_runtime_port.py`."""

import asyncio
import json

from pilothouse.protocol.exchange import Exchange, ExchangeSettings, Inbound, Outbound, application, refusal

REQUEST = Inbound("POST", "/icp/heartbeat", None, None, b"{}", "127.0.0.1")
FINE = Outbound(200, b"{}")


def test_a_plain_answer_needs_no_event_loop() -> None:
    assert application(lambda _: FINE, ExchangeSettings()).answer(REQUEST) is FINE


def test_a_refusal_has_the_shape_that_runtimes_know() -> None:
    answer = refusal(503, "CODE", "what", "how", retry_after_s=7)
    assert json.loads(answer.body) == {
        "acknowledged": False,
        "error": True,
        "code": "CODE",
        "message": "what",
        "fix": "how",
    }
    assert answer.headers == (("retry-after", "7"),)


def test_bodies_are_taken_in_up_to_the_limit_and_given_back() -> None:
    exchange = Exchange(lambda _: FINE, ExchangeSettings(bodies_limit_bytes=10))
    assert exchange.take_in(8)
    assert not exchange.take_in(3)
    exchange.give_back(8)
    assert exchange.take_in(10)


def test_a_stop_answers_what_is_under_way_with_503() -> None:
    async def never(_: Inbound) -> Outbound:
        await asyncio.sleep(60)
        return FINE

    async def scene() -> Outbound:
        exchange = Exchange(never, ExchangeSettings())
        task = exchange.answer(REQUEST)
        assert isinstance(task, asyncio.Task)
        await asyncio.sleep(0)
        exchange.stopping = True
        task.cancel()
        return await task

    assert asyncio.run(scene()).status == 503


def test_a_slow_answer_over_the_limit_is_dropped_without_a_warning() -> None:
    async def slow(_: Inbound) -> Outbound:
        await asyncio.sleep(0)
        return FINE

    async def scene() -> list[int]:
        exchange = Exchange(slow, ExchangeSettings(max_concurrent=1))
        answers = [exchange.answer(REQUEST), exchange.answer(REQUEST)]
        return [each.status if isinstance(each, Outbound) else (await each).status for each in answers]

    assert asyncio.run(scene()) == [200, 503]
