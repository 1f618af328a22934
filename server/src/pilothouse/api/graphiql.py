"""GET /graphiql: the page to write queries on, from the console's build, where an operator turned it on."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from pilothouse.api.context import Services
from pilothouse.base.errors import NotFound

PATHS: Final = ("/graphiql", "/graphiql.html")
"""The page, and the file by its own name: turned off is turned off by either."""
_FILE: Final = "graphiql.html"
_HEADERS: Final = {
    # The editor styles itself, draws its fonts from data and works in the background from what the build made.
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


async def answer(_request: Request, services: Services) -> Response:
    """Answer with the page.

    Raises: NotFound
    """
    settings = services.settings
    if not settings.graphiql:
        raise NotFound("GraphiQL is turned off here.", fix="Set PILOTHOUSE_GRAPHIQL=on and start again.")
    path = None if settings.console_folder is None else settings.console_folder / _FILE
    if path is None or not path.is_file():
        raise NotFound(
            "GraphiQL was not built into this installation.",
            fix="In a source tree, run `make up`, which builds the console; or install the package again.",
        )
    return Response(path.read_bytes(), media_type="text/html", headers=_HEADERS)
