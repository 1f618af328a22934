"""A control plane whose postman only writes down what he was given: a stand-in, for what is not about delivery."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "api"))

from alert_helpers import Alerts, RecordingPostman, quick_passwords, sender_of
from pilothouse.app.control_plane import ControlPlane, open_control_plane
from pilothouse.base.clock import FakeClock
from pilothouse.config import Settings
from pilothouse.storage.alert_tables import alert_rules
from sqlalchemy import delete


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, telemetry_store="memory")


@pytest.fixture
def postman() -> RecordingPostman:
    return RecordingPostman()


@pytest.fixture
async def plane(settings: Settings, clock: FakeClock, postman: RecordingPostman) -> AsyncIterator[ControlPlane]:
    opened = await open_control_plane(settings, clock, quick_passwords())
    await opened.store.write(lambda tx: tx.connection.execute(delete(alert_rules)))  # each test makes its own
    opened.alerting.sender = sender_of(opened, postman)
    yield opened
    await opened.stop()


@pytest.fixture
def alerts(plane, admin, clock, postman) -> Alerts:
    return Alerts(plane, admin, clock, postman)


@pytest.fixture
def person_at(stranger):
    """Makes somebody at another control plane."""
    return type(stranger)


@pytest.fixture
def runtime_of(runtime):
    """Makes a runtime of another control plane."""
    return type(runtime)
