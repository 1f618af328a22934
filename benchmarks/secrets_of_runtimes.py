"""Secrets for the runtimes of benchmarks."""

from functools import partial

from pilothouse.app.control_plane import ControlPlane
from pilothouse.app.people import LOCAL
from pilothouse.operations.secrets import generate


async def new_secret(plane: ControlPlane) -> str:
    """Generate a secret for `dev` that the first heartbeat binds, as who runs the control plane."""
    making = partial(
        generate,
        subject=LOCAL,
        organization=await plane.organization(),
        vault=plane.vault,
        environment_handle="dev",
        project_handle=None,
        integration_handle=None,
        now=plane.clock.now(),
    )
    return (await plane.store.write(making)).secret
