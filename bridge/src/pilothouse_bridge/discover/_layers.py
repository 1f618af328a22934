"""Applications inside layers of middleware."""

import contextlib
from typing import Any, Final

#: Where wrappers of an ASGI or WSGI application keep what they wrap.
_INNER: Final = ("app", "_app", "application", "asgi_app", "other_asgi_app", "wsgi_app", "wsgi_application")
DEPTH_LIMIT: Final = 20


def unwrapped(candidate: Any, known: dict[int, Any]) -> Any | None:
    """The application inside layers of middleware, when it is a known one (by its ``id``)."""
    for _ in range(DEPTH_LIMIT):
        if candidate is None or id(candidate) in known:
            return candidate
        owner = getattr(candidate, "__self__", None)
        if id(owner) in known:
            return owner  # a method of the application: ``app.wsgi_app``
        members = getattr(candidate, "__dict__", {}) | _enclosed(candidate)
        candidate = next((members[name] for name in _INNER if callable(members.get(name))), None)
    return None


def _enclosed(candidate: Any) -> dict[str, Any]:
    """What a function has closed over, by name: middleware may be a function around an application."""
    names = getattr(getattr(candidate, "__code__", None), "co_freevars", ())
    cells = getattr(candidate, "__closure__", None) or ()
    found: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=False):
        with contextlib.suppress(ValueError):  # not filled yet
            found[name] = cell.cell_contents
    return found
