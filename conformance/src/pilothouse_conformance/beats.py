"""What a runtime is answered, and what may be demanded of the answer."""

import base64
import binascii
import http
from dataclasses import dataclass

from pilothouse_conformance import signing
from pilothouse_conformance.verdict import Failed, demand
from pilothouse_conformance.wire import Answer, Json, items, members

FIELDS = ["tryItHost", "openApiDefinitions", "workflowMetadata"]
"""The optional fields that every acknowledged answer advertises, in this order."""
_REFUSAL_MEMBERS = ("message", "code", "fix")
_COMMAND_MEMBERS = ("commandId", "runtimeId", "targetArtifact", "action", "issuedAt", "status")


@dataclass(frozen=True)
class Beat:
    """The answer to a heartbeat or to a command's result."""

    what: str
    """What was sent, for the reasons."""
    answer: Answer

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status

    @property
    def body(self) -> dict[str, Json]:
        """The answer's object; every answer is one.

        Raises: Failed
        """
        kind = self.answer.headers.get("content-type", "").partition(";")[0].strip()
        demand(
            kind == "application/json", f"{self.what} was answered as '{kind}', which Ballerina's client cannot bind"
        )
        body = members(self.answer.body)
        demand(bool(body), f"{self.what} was answered with no JSON object")
        return body

    def ok(self, *, wants_full: bool | None = None) -> "Beat":
        """Demand 200, acknowledged, with the advertised fields.

        Raises: Failed
        """
        demand(self.status == http.HTTPStatus.OK, f"{self.what} was answered {self.status} instead of 200")
        demand(self.body.get("acknowledged") is True, f"{self.what} was not acknowledged")
        told = self.body.get("supportedHeartbeatFields")
        demand(told == FIELDS, f"{self.what}: supportedHeartbeatFields is {told}, not {FIELDS}")
        if wants_full is not None:
            demand(
                self.wants_full is wants_full,
                f"{self.what}: a full heartbeat was {'not ' if wants_full else ''}demanded",
            )
        return self

    def refused(self, status: int, *mentions: str) -> "Beat":
        """Demand a refusal with this status, in the shape of all refusals, whose message mentions certain words.

        Raises: Failed
        """
        demand(self.status == status, f"{self.what} was answered {self.status} instead of {status}")
        demand(self.body.get("acknowledged") is False, f"{self.what}: the refusal has no acknowledged:false")
        demand(self.body.get("error") is True, f"{self.what}: the refusal has no error:true")
        for member in _REFUSAL_MEMBERS:
            demand(bool(self.body.get(member)), f"{self.what}: the refusal has no {member}")
        for word in mentions:
            demand(word in self.body["message"], f"{self.what}: the message does not name {word}")
        return self

    def accepted(self) -> "Beat":
        """Demand that a result was taken: 202 with `accepted`.

        Raises: Failed
        """
        demand(self.status == http.HTTPStatus.ACCEPTED, f"{self.what} was answered {self.status} instead of 202")
        demand(self.body.get("accepted") is True, f"{self.what}: the answer has no accepted:true")
        return self

    @property
    def wants_full(self) -> bool:
        """Whether a full heartbeat is demanded; absent means no, null binds on no client."""
        told = self.body.get("fullHeartbeatRequired", False)
        demand(isinstance(told, bool), f"{self.what}: fullHeartbeatRequired is {told}")
        return bool(told)

    @property
    def commands(self) -> list[Json]:
        """The commands; absent means none, null binds on no client."""
        told = self.body.get("commands", [])
        demand(isinstance(told, list), f"{self.what}: commands is {told}")
        return items(told)

    @property
    def hint_s(self) -> int | None:
        """The cadence that is asked for; None when it is not."""
        return self.body.get("nextHeartbeatInSeconds")

    def of(self, action: str) -> list[Json]:
        """Give the commands with this action."""
        return [command for command in self.commands if command.get("action") == action]

    def silent(self) -> "Beat":
        """Demand that no command came.

        Raises: Failed
        """
        actions = [command.get("action") for command in self.commands]
        demand(not actions, f"{self.what} was answered with commands: {actions}")
        return self


def check_command(command: dict[str, Json], secret: str, runtime_id: str) -> None:
    """Demand that a command binds on the clients and bears the signature of the secret that signed the request.

    Raises: Failed
    """
    for member in _COMMAND_MEMBERS:
        demand(command.get(member) is not None, f"the command has no {member}, which both clients require")
    demand(command["runtimeId"] == runtime_id, f"the command is for {command['runtimeId']}, not for {runtime_id}")
    demand(command["status"] == "PENDING", f"the command's status is {command['status']}, not PENDING")
    target, issued = command["targetArtifact"], command["issuedAt"]
    demand(bool(members(target).get("name")), "the command's target has no name")
    is_instant = [isinstance(part, (int, float)) for part in items(issued)] == [True, True]
    demand(is_instant, f"issuedAt is {issued}, not [seconds, fraction]")
    demand(command.get("payload") is None or isinstance(command["payload"], str), "the payload is not JSON text")
    signature = command.get("signature")
    demand(isinstance(signature, str), "the command is not signed")
    expected = signing.signature_of(command, signing.split(secret)[1])
    demand(signature == expected, f"the signature is {signature}, not {expected}")
    try:
        base64.b64decode(str(signature), validate=True)
    except binascii.Error:
        raise Failed("the signature is not Base64") from None
