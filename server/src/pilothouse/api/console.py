"""The console's files: read at the start, compressed when they are first asked for, served from memory.

A request is looked up in a table of what the build made, so no path can lead out of it.
"""

import asyncio
import gzip
import mimetypes
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response

_SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_COMPRESSED_AT_LEAST_BYTES = 1_000
_MISSING = b"""<!doctype html><title>Pilothouse</title><p>The console was not built into this installation.</p>
<p>In a source tree, run <code>make up</code>; the APIs work without it.</p>"""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the build."""

    body: bytes
    is_zipped: bool
    """Whether it is sent compressed to whoever takes that."""
    media_type: str
    cache_control: str


class Console:
    """The built console."""

    def __init__(self, folder: Path | None) -> None:
        self._files: dict[str, File] = {}
        # Compressed bodies by path, of the files above only. Compressing all at the start would hold it up by 0.2 s of CPU.
        self._zipped: dict[str, bytes] = {}
        if folder is not None:
            self._files = {
                f"/{path.relative_to(folder).as_posix()}": _read(path, folder)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }

    async def answer(self, request: Request) -> Response:
        """Answer with a file; an address without a dot that is no file is the console's own route."""
        path = request.url.path
        file = self._files.get(path)
        if file is None and "." not in path.rpartition("/")[2]:
            path = "/index.html"
            file = self._files.get(path)
            if file is None:
                return Response(_MISSING, status_code=503, media_type="text/html", headers=_SECURITY_HEADERS)
        if file is None:
            return Response(
                b"There is no such file.", status_code=404, media_type="text/plain", headers=_SECURITY_HEADERS
            )
        headers = {**_SECURITY_HEADERS, "cache-control": file.cache_control, "vary": "accept-encoding"}
        body = file.body
        if file.is_zipped and "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["content-encoding"] = await self._zip(path, file), "gzip"
        return Response(body, media_type=file.media_type, headers=headers)

    async def _zip(self, path: str, file: File) -> bytes:
        zipped = self._zipped.get(path)
        if zipped is None:  # beside the loop: others are answered meanwhile
            zipped = self._zipped[path] = await asyncio.to_thread(gzip.compress, file.body, 9)
        return zipped


def _read(path: Path, folder: Path) -> File:
    body = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = media_type.startswith("text/") or media_type.endswith(("javascript", "json", "svg+xml"))
    hashed = path.relative_to(folder).parts[0] == "assets"  # the build puts a digest into these names
    return File(
        body=body,
        is_zipped=is_text and len(body) >= _COMPRESSED_AT_LEAST_BYTES,
        media_type=media_type,
        cache_control="public, max-age=31536000, immutable" if hashed else "no-cache",
    )
