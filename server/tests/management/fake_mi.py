"""A FAKE of Micro Integrator's management API, for tests. It is not Micro Integrator and proves nothing about it.

It speaks real HTTPS on loopback, from a thread of its own, so that tests of any kind can use it. It checks tokens, keeps
the state that is set, remembers every call, and misbehaves when it is told to. What it answers is written after the
documented API: `{"message"}` and `{"Message"}` for success, `{"Error"}` for failure.
"""

import asyncio
import json
import re
import ssl
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme
from aiohttp import web
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

SKEW_S = 60
_QUERIES = {
    "apis": "apiName",
    "applications": "carbonAppName",
    "connectors": None,
    "data-services": "dataServiceName",
    "data-sources": "name",
    "endpoints": "endpointName",
    "inbound-endpoints": "inboundEndpointName",
    "local-entries": "name",
    "message-processors": "name",
    "message-stores": "name",
    "proxy-services": "proxyServiceName",
    "sequences": "sequenceName",
    "tasks": "taskName",
    "templates": "name",
}
_WITH_STATUS = {"proxy-services", "endpoints", "message-processors", "tasks", "inbound-endpoints"}
_LEVELS = {"OFF", "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}


class Trouble(Enum):
    """How it misbehaves."""

    SLOW = "answers after ten minutes"
    HUGE = "answers with 16 MiB, announced"
    ENDLESS = "answers without an end, unannounced"
    ERROR_500 = "answers 500 with its reason in `Error`"
    FORBIDDEN = "answers 403 with its reason in `message`"
    REDIRECT = "sends the call to `redirect_to`"
    NOT_JSON = "answers 200 with a page"
    ERROR_WITH_200 = "answers 200 with `Error`"
    EMPTY = "answers 202 without a body"
    CLOSES = "reads the call and closes the connection"
    BREAKS_OFF = "closes the connection within the answer"
    COOKIE = "sets a cookie, and answers as usual"
    GZIP = "compresses its answer unasked"


@dataclass(frozen=True)
class Received:
    """One call as it arrived, whether it was accepted or not."""

    method: str
    path: str
    """Raw, with the query."""
    query: dict[str, str]
    body: Any
    headers: dict[str, str]
    claims: dict[str, Any] | None
    """None if the token was refused."""


def some_state() -> dict[str, dict[str, dict[str, Any]]]:
    """One artifact of every kind, two loggers and a log file."""

    def artifact(**members: Any) -> dict[str, Any]:
        return {"configuration": "<source/>", **members}

    steered = {"status": "active", "trace": "disable", "statistics": "disable"}
    return {
        "apis": {"QuoteAPI": artifact(trace="disable", statistics="disable")},
        "applications": {"QuoteCar": artifact(version="1.2.0")},
        "connectors": {"kafka": {"package": "org.wso2.carbon.connector", "status": "enabled"}},
        "data-services": {"Orders": artifact()},
        "data-sources": {"ORDERS_DB": artifact()},
        "endpoints": {"StockEP": artifact(**steered)},
        "inbound-endpoints": {"OrdersIn": artifact(**steered)},
        "local-entries": {"greeting": artifact()},
        "message-processors": {"Forwarder": artifact(status="active")},
        "message-stores": {"Held": artifact()},
        "proxy-services": {"OrderProxy": artifact(**steered)},
        "sequences": {"main": artifact(trace="disable", statistics="disable")},
        "tasks": {"Nightly": artifact(status="active")},
        "templates": {"Shape": artifact(type="sequence", trace="disable", statistics="disable")},
        "logging": {
            "rootLogger": {"componentName": "Not available", "level": "ERROR"},
            "org-apache-synapse": {"componentName": "org.apache.synapse", "level": "INFO"},
        },
        "logs": {"wso2carbon.log": {"Size": "1.2 KB", "text": '{"first": "line"}\nand the second\n'}},
        "registry": {
            "registry": {"mediaType": "directory"},
            "registry/config": {"mediaType": "directory", "owner": "retail"},
            "registry/config/greeting.txt": {"mediaType": "text/plain", "text": "Good morning"},
        },
        "users": {"admin": {"isAdmin": True}, "ada": {}},
    }


def _listed(rows: list[dict[str, Any]]) -> web.Response:
    return web.json_response({"count": len(rows), "list": rows})


@dataclass
class FakeMi:
    """A fake management API.

    `secret` is the whole secret, `<keyId>.<keyMaterial>`. `names` are what its certificate is made for. Its certificate
    is signed by `authority`; `ca_pem` is what a client must trust, and `write_ca` puts it into a file.
    """

    secret: str
    host: str = "127.0.0.1"
    url_host: str = "localhost"
    names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1")
    authority: trustme.CA = field(default_factory=trustme.CA)
    issuer: str = "icp-runtime-jwt-issuer"
    audience: str = "icp-server"
    clock: Callable[[], float] = time.time
    state: dict[str, dict[str, dict[str, Any]]] = field(default_factory=some_state)
    calls: list[Received] = field(default_factory=list)
    triggered: list[str] = field(default_factory=list)
    trouble: Trouble | None = None
    redirect_to: str = "https://localhost:1/elsewhere"
    delay_s: float = 0.0
    """Before every answer."""
    file_users: bool = False
    """Its user store is the file in its deployment.toml: nobody can be listed, added or removed."""
    quotes_passwords: bool = False
    """It refuses every new user, and says the password while it does."""
    under_way: int = 0
    under_way_most: int = 0
    port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _end: asyncio.Event | None = None
    _transports: "weakref.WeakSet[asyncio.Transport]" = field(default_factory=weakref.WeakSet)

    @property
    def ca_pem(self) -> bytes:
        """What must be trusted to trust this certificate."""
        return self.authority.cert_pem.bytes()

    def write_ca(self, path: Path) -> Path:
        """Put what must be trusted into a file."""
        path.write_bytes(self.ca_pem)
        return path

    def start(self) -> Self:
        """Listen on a free port; returns when it does."""
        is_up: list[BaseException | None] = []
        up = threading.Event()

        def work() -> None:
            try:
                asyncio.run(self._serve(up))
            except BaseException as error:  # the waiting thread raises it
                is_up.append(error)
                up.set()
                raise

        self._thread = threading.Thread(target=work, name="fake-mi", daemon=True)
        self._thread.start()
        if not up.wait(10) or is_up:
            raise RuntimeError("The fake management API did not start.")
        return self

    def stop(self) -> None:
        """Stop listening and cut off what is under way."""
        if self._loop is not None and self._end is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join(10)
            self._loop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _serve(self, up: threading.Event) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert(*self.names).configure_cert(context)
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, self.host, 0, ssl_context=context)
        await site.start()
        self.port = runner.addresses[0][1]
        up.set()
        await self._end.wait()
        await runner.cleanup()
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0.02)  # the sockets close in the loop's next rounds

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None:
            self._transports.add(request.transport)
        raw = await request.read()
        claims = self._claims(request.headers.get("Authorization", ""))
        self.calls.append(
            Received(
                method=request.method,
                path=request.raw_path,
                query=dict(request.query),
                body=json.loads(raw) if raw else None,
                headers=dict(request.headers),
                claims=claims,
            )
        )
        self.under_way += 1
        self.under_way_most = max(self.under_way, self.under_way_most)
        try:
            await asyncio.sleep(self.delay_s)
            if claims is None:
                return web.json_response({"message": "Unauthorized"}, status=401)
            if self.trouble not in {None, Trouble.COOKIE, Trouble.GZIP}:
                return await self._misbehave(request)
            response = self._answer(request, json.loads(raw) if raw else {})
            if self.trouble is Trouble.COOKIE:
                response.set_cookie("session", "1")
            if self.trouble is Trouble.GZIP:
                response.enable_compression(web.ContentCoding.gzip)
            return response
        finally:
            self.under_way -= 1

    def _claims(self, authorization: str) -> dict[str, Any] | None:
        key_id, _, material = self.secret.partition(".")
        try:
            token = jwt.decode(authorization.removeprefix("Bearer "), OctKey.import_key(material), algorithms=["HS256"])
            claims = dict(token.claims)
            times_hold = claims["exp"] + SKEW_S > self.clock() and claims["exp"] - claims["iat"] <= 3_600
            audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        except (JoseError, ValueError, KeyError, TypeError):
            return None
        is_ours = (
            token.header.get("kid") == key_id
            and claims["iss"] == self.issuer
            and self.audience in audiences
            and claims.get("scope") == "runtime_agent"
        )
        return claims if is_ours and times_hold else None

    async def _misbehave(self, request: web.Request) -> web.StreamResponse:
        if self.trouble is Trouble.SLOW:
            await asyncio.sleep(600)
        if self.trouble in {Trouble.ENDLESS, Trouble.BREAKS_OFF}:
            return await self._endless(request)
        plain = {
            Trouble.HUGE: lambda: web.Response(body=b'"' + b"x" * (16 * 1024 * 1024) + b'"'),
            Trouble.ERROR_500: lambda: web.json_response({"Error": "Synapse is\nnot  itself today"}, status=500),
            Trouble.FORBIDDEN: lambda: web.json_response({"message": "Only administrators may do this"}, status=403),
            Trouble.REDIRECT: lambda: web.Response(status=302, headers={"Location": self.redirect_to}),
            Trouble.NOT_JSON: lambda: web.Response(text="<html>Welcome</html>", content_type="text/html"),
            Trouble.ERROR_WITH_200: lambda: web.json_response({"Error": "Missing parameters in payload"}),
            Trouble.EMPTY: lambda: web.Response(status=202),
        }
        if self.trouble in plain:
            return plain[self.trouble]()
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b'"')
        while self.trouble is Trouble.ENDLESS and request.transport is not None and not request.transport.is_closing():
            await response.write(b"x" * 65_536)
            await asyncio.sleep(0)  # a broken connection must be seen, and the end of the test
        if request.transport is not None:
            request.transport.abort()
        return response

    def _answer(self, request: web.Request, body: Any) -> web.Response:
        found = re.fullmatch(r"/management/([a-z-]+)", request.rel_url.raw_path)
        name = found[1] if found else ""
        if name == "logging":
            return self._logging(request, body)
        if request.path.startswith("/management/registry-resources"):
            return self._registry(request)
        if name == "logs":
            return self._logs(request)
        if request.path.startswith("/management/users"):
            return self._users(request, body)
        return self._artifacts(name, request, body)

    def _artifacts(self, name: str, request: web.Request, body: Any) -> web.Response:
        if name not in _QUERIES:
            return web.json_response({"Error": "No such resource"}, status=404)
        if request.method == "GET":
            return self._read(name, request.query)
        if request.method == "POST":
            return self._change(name, body)
        return web.json_response({"Error": "Method not allowed"}, status=405)

    def _users(self, request: web.Request, body: Any) -> web.Response:
        if self.file_users:
            words = "User management is not supported with the file-based user store."
            return web.json_response({"Error": words}, status=403)
        users, path = self.state["users"], request.path.removeprefix("/management/users")
        if request.method == "GET":
            return _listed([{"userId": each} for each in users])
        if request.method == "POST":
            return self._add_user(users, body)
        domain = request.query.get("domain")
        name = f"{domain}/{path[1:]}" if domain else path[1:]
        if name not in users:
            return web.json_response(
                {"Error": f"Requested resource not found. User: {name} cannot be found."}, status=404
            )
        if users[name].get("isAdmin"):
            return web.json_response({"Error": "Please try again. Only super admin user can delete admins"}, status=500)
        del users[name]
        return web.json_response({"userId": name, "status": "Deleted"})

    def _add_user(self, users: dict[str, dict[str, Any]], body: dict[str, Any]) -> web.Response:
        if body["userId"] in users:
            words = f"Error processing the request User: {body['userId']} already exists."
            return web.json_response({"Error": words}, status=400)
        if self.quotes_passwords:
            return web.json_response({"Error": f"The password {body['password']} is too simple"}, status=400)
        users[body["userId"]] = {"password": body["password"], "isAdmin": body["isAdmin"]}
        return web.json_response({"userId": body["userId"], "status": "Added"})

    def _logs(self, request: web.Request) -> web.Response:
        if "file" in request.query:
            file = self.state["logs"].get(request.query["file"])
            return web.Response(text=file["text"]) if file else web.json_response({"Error": "No such file"})
        search = request.query.get("searchKey", "").lower()
        return _listed(
            [
                {"FileName": file, "Size": facts["Size"]}
                for file, facts in self.state["logs"].items()
                if search in file.lower()
            ]
        )

    def _registry(self, request: web.Request) -> web.Response:
        path, what = request.query.get("path", ""), request.path.removeprefix("/management/registry-resources")
        found = self.state["registry"].get(path)
        if found is None:
            return web.json_response({"Error": "Can not find the registry"}, status=404)
        if what == "/content":
            return web.Response(text=found["text"])
        properties = [{"name": "owner", "value": found["owner"]}] if "owner" in found else []
        if what == "/properties":
            return _listed(properties)
        held = [
            {"name": each.rpartition("/")[2], "mediaType": facts["mediaType"], "properties": []}
            for each, facts in self.state["registry"].items()
            if each.rpartition("/")[0] == path
        ]
        return _listed(held)

    def _read(self, collection: str, query: Any) -> web.Response:
        artifacts, parameter = self.state[collection], _QUERIES[collection]
        if parameter is None or parameter not in query:
            return web.json_response(
                {"count": len(artifacts), "list": [{"name": name, **facts} for name, facts in artifacts.items()]}
            )
        found = artifacts.get(query[parameter])
        if found is None or (collection == "templates" and query.get("type") != found["type"]):
            return web.json_response({"Error": f"Specified artifact ('{query[parameter]}') not found"}, status=404)
        return web.json_response({"name": query[parameter], **found})

    def _change(self, collection: str, body: Any) -> web.Response:
        found = self.state[collection].get(body.get("name", ""))
        if collection == "templates" and body.get("type") != "sequence":
            return web.json_response({"Error": "Unsupported operation"}, status=400)
        if found is None:
            return web.json_response({"Error": "Specified artifact not found"}, status=404)
        if collection == "tasks" and body.get("status") == "trigger":
            self.triggered.append(body["name"])
            return web.json_response({"Message": f"{body['name']} : is triggered"})
        for member, values in (
            ("status", {"active", "inactive"} if collection in _WITH_STATUS else set()),
            ("trace", {"enable", "disable"}),
            ("statistics", {"enable", "disable"}),
        ):
            if member in body:
                if member not in found or body[member] not in values:
                    return web.json_response({"Error": f"Invalid value for {member}"}, status=400)
                found[member] = body[member]
                return web.json_response({"message": f"{member} of {body['name']} is {body[member]}"})
        return web.json_response({"Error": "Missing parameters in payload"})

    def _logging(self, request: web.Request, body: Any) -> web.Response:
        loggers = self.state["logging"]
        if request.method == "GET":
            search = request.query.get("searchKey", "").lower()
            found = [{"loggerName": name, **facts} for name, facts in loggers.items() if search in name.lower()]
            return web.json_response({"count": len(found), "list": found})
        name, level = body.get("loggerName"), body.get("loggingLevel")
        if level not in _LEVELS:
            return web.json_response({"Error": f"Invalid log level {level}"}, status=400)
        if name not in loggers and "loggerClass" not in body:
            return web.json_response({"Error": f"Specified logger ('{name}') not found"}, status=400)
        if name in loggers and "loggerClass" in body:
            return web.json_response({"Error": f"Specified logger name ('{name}') already exists"}, status=400)
        loggers.setdefault(name, {"componentName": body.get("loggerClass", "")})["level"] = level
        return web.json_response({"message": f"Successfully added logger for ('{name}') with level {level}"})
