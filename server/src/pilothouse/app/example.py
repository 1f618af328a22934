"""The example integration beside a newcomer's control plane: a secret and a configuration of its own."""

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import structlog

from pilothouse.app.bundled import example_folder
from pilothouse.app.control_plane import ControlPlane
from pilothouse.app.example_process import Example, launch_example
from pilothouse.app.people import local_subject
from pilothouse.operations.secrets import generate
from pilothouse.storage import secrets

_log = structlog.get_logger(__name__)

_KEY_ID = re.compile(r'^secret = "([0-9a-f]{8})\.', re.MULTILINE)


async def start_example(plane: ControlPlane, runtime_url: str, environment: Mapping[str, str]) -> Example | None:
    """Start the example integration; None when this installation has none."""
    folder = await configure_example(plane, runtime_url)
    return None if folder is None else await launch_example(folder, environment)


async def configure_example(plane: ControlPlane, runtime_url: str) -> Path | None:
    """Make the example's folder with its Config.toml and a secret; None when this installation has no example."""
    if example_folder() is None:
        _log.warning(
            "example.missing", fix="Install the package again, or go on without: `pilothouse up --no-example`."
        )
        return None
    folder = plane.settings.home / "example"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    await _configure(plane, folder / "Config.toml", runtime_url)
    return folder


async def _configure(plane: ControlPlane, path: Path, runtime_url: str) -> None:
    """Write the example's Config.toml unless the one that is there holds a secret that this database knows."""
    known = _KEY_ID.search(_read(path))
    if known is not None and await plane.store.read(lambda connection: secrets.find(connection, known[1])) is not None:
        _point_to(path, runtime_url)
        return
    organization = await plane.organization()
    made = await plane.store.write(
        partial(
            generate,
            subject=local_subject(organization.id),
            organization=organization,
            vault=plane.vault,
            environment_handle="dev",
            project_handle=None,
            integration_handle=None,
            now=plane.clock.now(),
        )
    )
    text = made.config_toml.replace("<project>", "order-service").replace("<integration>", "order-create")
    _write(path, text.replace("<unique-runtime-name>", "order-node-1"))
    _point_to(path, runtime_url)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _point_to(path: Path, runtime_url: str) -> None:
    text = _read(path)
    _write(path, re.sub(r"^#? ?serverUrl = .*$", f'serverUrl = "{runtime_url}"', text, flags=re.MULTILINE))


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
