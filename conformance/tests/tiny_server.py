"""A tiny control plane that keeps a few cases and, when told so, breaks one rule: what the suite must notice.

Written apart from the suite's own code where it matters (tokens, signatures), so that both cannot be wrong in one way.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

FIELDS = ["tryItHost", "openApiDefinitions", "workflowMetadata"]
SKEW_S = 60


class Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class TinyServer:
    """Both edges on one port, without TLS."""

    def __init__(self, *faults: str) -> None:
        self.faults = set(faults)
        self.materials: dict[str, str] = {}
        self.hashes: dict[str, str] = {}
        self.stop_wanted = False
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    # runtimes

    def heartbeat(self, path: str, authorization: str | None, body: bytes) -> tuple[int, dict]:
        key_id = self.check_token(authorization)
        try:
            told = json.loads(body)
        except ValueError:
            raise Refused(400, "MALFORMED", "not JSON") from None
        if told.get("heartbeatVersion", "v1.0") != "v1.0" and "any-version" not in self.faults:
            raise Refused(400, "VERSION", "unknown version")
        runtime_id = told.get("runtimeId", "")
        if not 1 <= len(runtime_id.strip()) <= (100 if "long-ids" not in self.faults else 200):
            raise Refused(400, "RUNTIME_ID", "not an id")
        is_delta = path.endswith("deltaHeartbeat")
        known = self.hashes.get(runtime_id) == told["runtimeHash"]
        if not is_delta:
            self.hashes[runtime_id] = told["runtimeHash"]
        answer = {
            "acknowledged": not (is_delta and not known and "delta-not-acknowledged" in self.faults),
            "fullHeartbeatRequired": None if "null-member" in self.faults else is_delta and not known,
            "commands": [],
            "supportedHeartbeatFields": FIELDS[::-1] if "fields-reversed" in self.faults and is_delta else FIELDS,
        }
        if is_delta and self.stop_wanted and known:
            answer["commands"] = [self.command(runtime_id, self.materials[key_id])]
            answer["fullHeartbeatRequired"] = "no-full-with-commands" not in self.faults
        return 201 if "created" in self.faults else 200, answer

    def check_token(self, authorization: str | None) -> str:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme != "Bearer":
            if "anybody" in self.faults:
                return ""
            raise Refused(401, "TOKEN_MISSING", "no token")
        head, claims, signature = token.split(".")
        header, told = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, claims))
        key_id = header.get("kid")
        if not key_id:
            raise Refused(401, "NO_KID", "no key id")
        if key_id not in self.materials:
            status = 401 if "unknown-key-401" in self.faults else 400
            raise Refused(status, "KEY_UNKNOWN", f"unknown key id {key_id}")
        if header["alg"] != "HS256" and "any-algorithm" not in self.faults:
            raise Refused(401, "ALGORITHM", "HS256 only")
        name = {"HS256": "sha256", "HS512": "sha512"}.get(header["alg"])
        if name is not None:
            right = hmac.new(self.materials[key_id].encode(), f"{head}.{claims}".encode(), name).digest()
            if base64.urlsafe_b64encode(right).rstrip(b"=").decode() != signature:
                raise Refused(401, "SIGNATURE", "wrong signature")
        self.check_claims(told)
        return key_id

    def check_claims(self, told: dict) -> None:
        audience = told.get("aud")
        if told.get("iss") != "icp-runtime-jwt-issuer":
            raise Refused(401, "ISSUER", "another issuer")
        if "icp-server" not in (audience if isinstance(audience, list) else [audience]):
            raise Refused(401, "AUDIENCE", "another audience")
        skew_s = 0 if "no-skew" in self.faults else SKEW_S
        if told.get("exp", 0) + skew_s <= time.time():
            raise Refused(401, "EXPIRED", "expired")
        scope = told.get("scope", "")
        if scope != "runtime_agent" and not ("scope-list" in self.faults and "runtime_agent" in scope.split()):
            raise Refused(401, "SCOPE", "another scope")

    def command(self, runtime_id: str, material: str) -> dict:
        target = {"name": "listener_1", "package": "ballerina/http:2"}
        values = ["v1", runtime_id, "cmd-1", "STOP", target["name"], target["package"], ""]
        if "signs-without-package" in self.faults:
            values[5] = ""
        text = "".join(f"{len(value)}:{value}" for value in values).encode()
        signature = base64.b64encode(hmac.new(material.encode(), text, hashlib.sha256).digest()).decode()
        command = {
            "commandId": "cmd-1",
            "runtimeId": runtime_id,
            "targetArtifact": target,
            "action": "STOP",
            "issuedAt": [int(time.time()), 0.0],
            "status": "SENT" if "status-sent" in self.faults else "PENDING",
            "signature": signature,
        }
        return {
            name: value for name, value in command.items() if not ("unsigned" in self.faults and name == "signature")
        }

    # people

    def graphql(self, query: str) -> dict:
        if "generateSecret" in query:
            key_id, material = secrets.token_hex(4), secrets.token_urlsafe(32)
            self.materials[key_id] = material
            return {"data": {"generateSecret": {"keyId": key_id, "secret": f"{key_id}.{material}"}}}
        if "changeArtifact" in query:
            self.stop_wanted = True
            return {"data": {"changeArtifact": {"waiting": 0, "commands": [{"id": "1"}]}}}
        return {"errors": [{"message": "this one is too small for that"}]}


def _handler(server: TinyServer) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one small method after the other
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self._body()
            if self.path == "/auth/sign-in":
                granted = json.loads(body)["password"] == "right"
                self._answer(
                    200 if granted else 401, {"message": "Sign in again."}, {"Set-Cookie": "session=1; Path=/"}
                )
            elif self.path == "/graphql":
                self._answer(200, server.graphql(json.loads(body)["query"]))
            else:
                try:
                    self._answer(*server.heartbeat(self.path, self.headers.get("authorization"), body))
                except Refused as error:
                    told = {"acknowledged": False, "error": True, "code": error.code, "message": error.message}
                    self._answer(error.status, told if "no-fix" in server.faults else {**told, "fix": "Mend it."})

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("transfer-encoding", ""):
                return self.rfile.read(int(self.headers.get("content-length") or 0))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _answer(self, status: int, told: dict, headers: dict[str, str] | None = None) -> None:
            raw = json.dumps(told).encode()
            self.send_response(status)
            plain = "plain-text" in server.faults and self.path.startswith("/icp/")
            self.send_header("Content-Type", "text/plain" if plain else "application/json")
            self.send_header("Content-Length", str(len(raw)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
