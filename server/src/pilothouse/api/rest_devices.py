"""REST: a command line that asks to be let in by a person in the console (RFC 8628)."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.bodies import read_json
from pilothouse.api.context import Services
from pilothouse.api.rest_auth import TokensView, session_answer
from pilothouse.api.rest_routes import Access, RestRoute, json_response
from pilothouse.api.sessions import address_of, refuse_cross_origin
from pilothouse.operations import devices

CONSOLE_PATH = "/device"
"""Where in the console people type the code."""


class DeviceWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the command line calls itself."""

    client: str


class DeviceView(msgspec.Struct, frozen=True, rename="camel"):
    """What to show, where it is typed, and what to ask with."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in_seconds: int
    interval_seconds: int


class DeviceTokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The code to ask with."""

    device_code: str


async def _begin(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    wish = await read_json(request, DeviceWish, services.settings.body_limit_bytes)
    now, address = services.clock.now(), address_of(request)
    begun = await devices.begin(services.store, wish.client, address, now)
    # The address by which the command line reached us is one that its person can reach us by.
    scheme = "https" if services.settings.secure_cookies else "http"
    return json_response(
        DeviceView(
            device_code=begun.device_code,
            user_code=begun.user_code,
            verification_uri=f"{scheme}://{request.url.netloc}{CONSOLE_PATH}",
            expires_in_seconds=int(devices.WAITS_S),
            interval_seconds=int(devices.POLL_EVERY_S),
        )
    )


async def _take(request: Request, services: Services) -> Response:
    refuse_cross_origin(request)
    wish = await read_json(request, DeviceTokenRequest, services.settings.body_limit_bytes)
    now = services.clock.now()
    opened = await devices.take(services.store, wish.device_code, address=address_of(request), now=now)
    return session_answer(services, opened, now)


DEVICE_ROUTES: tuple[RestRoute, ...] = (
    RestRoute(
        method="POST",
        path="/auth/device",
        access=Access.ANYONE,
        summary="Ask to be let in by a person in the console.",
        handler=_begin,
        request=DeviceWish,
        responses={200: DeviceView},
    ),
    RestRoute(
        method="POST",
        path="/auth/device/token",
        access=Access.ANYONE,
        summary="Fetch the tokens once the person has decided.",
        handler=_take,
        request=DeviceTokenRequest,
        responses={200: TokensView},
    ),
)
