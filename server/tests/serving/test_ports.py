import socket

import pytest
from loopback import Run, echo, plain_asgi
from pilothouse.protocol.exchange import ExchangeSettings, application
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.descriptors import share
from pilothouse.serving.errors import AddressNotOurs, PortTaken
from pilothouse.serving.ports import open_port, require_free, who_holds
from pilothouse.serving.settings import CarrierSettings


def test_a_taken_port_is_named_with_its_holder_and_the_setting_to_change() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            open_port("127.0.0.1", port, backlog=10, setting="console.port")
    assert f"Port {port} is in use already by process " in caught.value.message
    assert "console.port" in caught.value.fix


def test_a_port_is_looked_at_before_it_is_opened() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"Port {port} is in use already by process "):
            require_free("127.0.0.1", port, setting="x")
    require_free("127.0.0.1", port, setting="x")
    open_port("127.0.0.1", port, backlog=10, setting="x").close()


def test_a_port_is_never_shared_even_with_one_who_would_share_it() -> None:
    with open_port("127.0.0.1", 0, backlog=10, setting="x") as ours, socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind(ours.getsockname())


def test_an_address_of_another_machine_is_refused_with_advice() -> None:
    with pytest.raises(AddressNotOurs) as caught:
        open_port("192.0.2.1", 0, backlog=10, setting="x")
    assert "0.0.0.0" in caught.value.fix


def test_nobody_holds_a_free_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert who_holds(port) is None


def test_open_files_are_shared_between_the_ports() -> None:
    assert share(65_536, ports=2, wanted=16_384, reserve=512).connections_per_port == 16_384
    short = share(20_000, ports=2, wanted=16_384, reserve=512)
    assert (short.connections_per_port, short.enough) == (9_744, False)
    assert share(256, ports=2, wanted=16_384, reserve=512).connections_per_port == 96


def test_when_one_port_is_taken_none_is_opened(run: Run) -> None:

    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as freed:
        free_port = freed.getsockname()[1]
        freed.close()
        runtimes = application(echo, ExchangeSettings())
        carrier = Carrier(
            [
                Listener(name="runtimes", app=runtimes, host="127.0.0.1", port=free_port, setting="a"),
                Listener(name="people", app=plain_asgi, host="127.0.0.1", port=taken.getsockname()[1], setting="b"),
            ],
            CarrierSettings(),
        )
        with pytest.raises(PortTaken):
            run(carrier.start())
        assert who_holds(free_port) is None
