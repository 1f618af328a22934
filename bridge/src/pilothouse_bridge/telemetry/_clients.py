"""httpx, requests, aiohttp and urllib: the one place in each that every request passes."""

import functools
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any, Final, cast
from urllib.parse import urlsplit

from pilothouse_bridge.telemetry import _made
from pilothouse_bridge.telemetry._made import Made

_WRAPPED: Final = "__pilothouse_telemetry__"


def watch_httpx(module: ModuleType) -> None:
    """``Client.send`` and ``AsyncClient.send``, of httpx and of httpx2."""
    names: Any = module  # a library that we do not import
    _replace(names.Client, "send", _httpx_send)
    _replace(names.AsyncClient, "send", _httpx_async_send)


def watch_requests(module: ModuleType) -> None:
    """``Session.send``."""
    names: Any = module
    _replace(names.Session, "send", _requests_send)


def watch_aiohttp(module: ModuleType) -> None:
    """``ClientSession._request``."""
    names: Any = module
    _replace(names.ClientSession, "_request", _aiohttp_request)


def watch_urllib(module: ModuleType) -> None:
    """``OpenerDirector.open``."""
    names: Any = module
    _replace(names.OpenerDirector, "open", functools.partial(_urllib_open, names))


def _replace(owner: Any, name: str, made: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    if not getattr(original, _WRAPPED, False):
        replacement = functools.wraps(original)(made(original))
        setattr(replacement, _WRAPPED, True)
        setattr(owner, name, replacement)


def _httpx_made(request: Any) -> Made:
    url = request.url
    made = Made(request.method, url.scheme, url.host, url.port, url.path)
    made.tell(request.headers.__contains__, request.headers.__setitem__)
    return made


def _httpx_send(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not _made.is_wanted():
            return original(self, request, *args, **kwargs)
        made = _httpx_made(request)
        try:
            response = original(self, request, *args, **kwargs)
        except BaseException as error:
            made.end(0, error)
            raise
        made.end(response.status_code)
        return response

    return send


def _httpx_async_send(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not _made.is_wanted():
            return await original(self, request, *args, **kwargs)
        made = _httpx_made(request)
        try:
            response = await original(self, request, *args, **kwargs)
        except BaseException as error:
            made.end(0, error)
            raise
        made.end(response.status_code)
        return response

    return send


def _requests_send(original: Callable[..., Any]) -> Callable[..., Any]:
    def send(self: Any, request: Any, **kwargs: Any) -> Any:
        parts = urlsplit(str(request.url))
        if not _made.is_wanted() or not parts.hostname:
            return original(self, request, **kwargs)
        made = Made(str(request.method), parts.scheme, parts.hostname, _port(parts), parts.path)
        made.tell(request.headers.__contains__, request.headers.__setitem__)
        try:
            response = original(self, request, **kwargs)
        except BaseException as error:
            made.end(0, error)
            raise
        made.end(response.status_code)
        return response

    return send


def _aiohttp_request(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def _request(self: Any, method: str, str_or_url: Any, **kwargs: Any) -> Any:
        base = getattr(self, "_base_url", None)
        parts = urlsplit(str(base.join(type(base)(str_or_url)) if base is not None else str_or_url))
        if not _made.is_wanted() or not parts.hostname:
            return await original(self, method, str_or_url, **kwargs)
        made = Made(method, parts.scheme, parts.hostname, _port(parts), parts.path)
        headers: Any = _multidict()(kwargs.get("headers") or ())
        made.tell(headers.__contains__, headers.__setitem__)
        try:
            response = await original(self, method, str_or_url, **(kwargs | {"headers": headers}))
        except BaseException as error:
            made.end(int(getattr(error, "status", 0) or 0), error)
            raise
        made.end(response.status)
        return response

    return _request


def _multidict() -> Any:
    """The type of aiohttp's headers: a name may be there several times."""
    import multidict  # aiohttp has it loaded

    return multidict.CIMultiDict


def _urllib_open(names: Any, original: Callable[..., Any]) -> Callable[..., Any]:
    def open(self: Any, fullurl: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: A001 - it takes its place
        url = fullurl if isinstance(fullurl, str) else str(getattr(fullurl, "full_url", ""))
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not _made.is_wanted():
            return original(self, fullurl, *args, **kwargs)
        request: Any = names.Request(fullurl) if isinstance(fullurl, str) else fullurl
        data = kwargs.get("data", args[0] if args else None)
        method = "POST" if data is not None and isinstance(fullurl, str) else str(request.get_method())
        made = Made(method, parts.scheme, parts.hostname, _port(parts), parts.path)
        made.tell(lambda name: bool(request.has_header(name.capitalize())), request.add_header)
        try:
            response = original(self, request, *args, **kwargs)
        except BaseException as error:
            code: object = getattr(error, "code", 0)  # an answer that urllib takes for a failure
            made.end(code if isinstance(code, int) else 0, error)
            raise
        made.end(int(getattr(response, "status", 0) or 0))
        return response

    return open


def _port(parts: Any) -> int | None:
    try:
        return cast("int | None", parts.port)
    except ValueError:
        return None
