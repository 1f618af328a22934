"""How exporters of the program's own reach the control plane under this runtime's name."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from pilothouse_bridge import _bridge
from pilothouse_bridge._config import Endpoint, Settings
from pilothouse_bridge._token import TokenCache

if TYPE_CHECKING:
    import requests


@final
@dataclass(frozen=True)
class Access:
    """Where, and with which tokens; ``verify`` is what requests calls so: a switch, or the file of an authority."""

    settings: Settings
    tokens: TokenCache

    @property
    def server(self) -> Endpoint:
        """The control plane."""
        return self.settings.server

    @property
    def verify(self) -> bool | str:
        """What requests calls so: a switch, or the file of an authority."""
        cert = self.settings.cert
        return self.settings.verifies_server if cert is None else str(cert)


_known: dict[int, Access] = {}  # by the id of the settings that it was made of, one at most


def access() -> Access:
    """The way in.

    Raises: RuntimeError when there is none.
    """
    settings = _bridge.current_settings()
    if settings is None:
        raise RuntimeError("The bridge is not connected: import pilothouse_bridge.auto, or call connect(), first.")
    found = _known.get(id(settings))
    if found is None or found.settings is not settings:
        tokens = TokenCache(
            settings.secret, issuer=settings.jwt_issuer, audience=settings.jwt_audience, clock=time.time
        )
        found = Access(settings, tokens)
        _known.clear()
        _known[id(settings)] = found
    return found


def session() -> "requests.Session":
    """A session that signs each request anew.

    Raises: RuntimeError, ImportError.
    """
    import requests

    granted = access()

    def sign(request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {granted.tokens.current()}"
        return request

    made = requests.Session()
    made.auth = sign
    made.verify = granted.verify
    made.trust_env = False  # as the bridge itself: no proxies from the environment
    return made
