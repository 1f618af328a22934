"""Carries commands to Micro Integrators by calls of their management APIs: never within a heartbeat's request."""

import asyncio
from functools import partial
from typing import Any, Final, final

import msgspec
import structlog

from pilothouse.base.clock import Clock
from pilothouse.base.errors import PilothouseError, Refused
from pilothouse.base.instants import Instant
from pilothouse.domain.commands import STANDARD_RULES, Command, CommandRoute, CommandRules
from pilothouse.management.client import ManagementClient, ManagementTarget
from pilothouse.management.failures import Failure, ManagementFailure
from pilothouse.management.tokens import Signing
from pilothouse.management.translate import call_for
from pilothouse.operations.outcomes import note_call
from pilothouse.operations.reconciling import look_of, settle
from pilothouse.operations.sealed_payloads import reveal
from pilothouse.presence import Agenda, Board, Entry
from pilothouse.storage import secrets
from pilothouse.storage.commands import SteeredRuntime
from pilothouse.storage.sealing import CannotUnseal, Vault
from pilothouse.storage.unit import Store

RUNTIMES_AT_ONCE: Final = 64
"""Runtimes that are served at the same time; the others wait in the order in which they were woken."""
TUNNEL_TRUSTED_S: Final = 10.0
"""So long a runtime with a tunnel is not looked at again: a tunnel may come to be doubted."""
BEGIN_S: Final = 4.0
"""A call begins so soon after its command was claimed, or not at all: a claim of a question lasts 20 s, a call 15 s at most."""
_MAY_PASS: Final = frozenset({Failure.BUSY, Failure.UNREACHABLE, Failure.BROKE_OFF, Failure.TIMEOUT, Failure.FAILED})
"""What the same call may not meet again; everything else needs an operator."""
ISSUER: Final = "icp-runtime-jwt-issuer"
AUDIENCE: Final = "icp-server"

_log = structlog.get_logger(__name__)


@final
class ManagementWorker:
    """Serves the runtimes that were woken, each by one task at a time."""

    def __init__(
        self,
        store: Store,
        board: Board,
        agenda: Agenda,
        vault: Vault,
        client: ManagementClient,
        clock: Clock,
        *,
        rules: CommandRules = STANDARD_RULES,
        issuer: str = ISSUER,
        audiences: tuple[str, ...] = (AUDIENCE,),
    ) -> None:
        self._store = store
        self._board = board
        self._agenda = agenda
        self._vault = vault
        self._client = client
        self._clock = clock
        self._rules = rules
        self._issuer = issuer
        self._audiences = audiences
        # Runtimes that wait to be served; a runtime is in it once, so that it is never longer than the fleet.
        self._woken: dict[int, None] = {}
        self._serving: dict[int, asyncio.Task[None]] = {}
        # Runtimes whose tunnel was proved when they were looked at, and until when that is taken for granted: their
        # heartbeats carry what they are told. Never longer than the fleet was.
        self._tunnelled: dict[int, Instant] = {}
        self._wake = asyncio.Event()

    def wake(self, runtime_key: int) -> None:
        """Have a runtime's commands carried to it, soon; one with a tunnel waits for its heartbeat."""
        if self._tunnelled.get(runtime_key, 0.0) > self._clock.now():
            return
        self._woken[runtime_key] = None
        self._wake.set()

    async def run(self) -> None:
        """Serve, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            ready = [key for key in self._woken if key not in self._serving]
            for key in ready[: RUNTIMES_AT_ONCE - len(self._serving)]:
                del self._woken[key]
                task = asyncio.create_task(self._serve(key), name=f"pilothouse-management-{key}")
                self._serving[key] = task
                task.add_done_callback(partial(self._served, key))

    async def close(self) -> None:
        """End what is under way, and the connections."""
        for task in list(self._serving.values()):
            task.cancel()
        await asyncio.gather(*self._serving.values(), return_exceptions=True)
        await self._client.close()

    def _served(self, runtime_key: int, task: asyncio.Task[None]) -> None:
        del self._serving[runtime_key]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("management.failed", runtime_key=runtime_key, exc_info=error)
        if self._woken:
            self._wake.set()

    async def _serve(self, runtime_key: int) -> None:
        entry = self._board.find_key(runtime_key)
        if entry is None:
            return
        try:
            while (claimed := await self._claim(entry)) is not None:
                await self._carry_out(*claimed, entry.address)
        except PilothouseError as error:
            _log.error("management.not_carried_out", runtime=entry.runtime_id, cause=error.message, fix=error.fix)

    async def _claim(self, entry: Entry) -> tuple[SteeredRuntime, Command] | None:
        """Take the next command that is due; None when there is none.

        It is counted as delivered in a transaction of its own before it is called: of several processes that look at a runtime one
        gets it. The others may take it once its next attempt is due, which is later than any call lasts that began within `BEGIN_S`.
        """
        now, asked = self._clock.now(), self._agenda.asked
        look = look_of(entry, CommandRoute.MANAGEMENT_API, now)
        handover = await self._store.write(partial(settle, look=look, rules=self._rules))
        again_at = handover.look_again_at
        if handover.runtime is not None and handover.runtime.tunnel_proved_at is not None:
            self._tunnelled[entry.runtime_key] = now + TUNNEL_TRUSTED_S
        elif again_at is not None:
            again_at = max(again_at, now + 1.0)
        self._agenda.settle(entry.runtime_key, again_at, now, asked=asked)
        if handover.runtime is None or not handover.delivered:
            return None
        (command,) = handover.delivered
        if self._clock.now() - now > BEGIN_S:
            # The machine slept, or the commit took long: by now another process may be calling.
            _log.warning("management.claim_too_old", runtime=entry.runtime_id, command=command.id)
            return None
        return handover.runtime, command

    async def _carry_out(self, runtime: SteeredRuntime, command: Command, address: str | None) -> None:
        """Call, and store what came of it; a failure of ours is one of the command, with its cause."""
        failure: str | None = None
        is_final = False
        body: Any = None  # Any: JSON
        try:
            call = call_for(command, reveal(self._vault, command))
            signing = await self._signing(runtime)
            answer = await self._client.carry_out(self._target(runtime, address), call, signing)
            body = answer.body
        except ManagementFailure as error:
            failure, is_final = _told(error), error.failure not in _MAY_PASS
        except (Refused, CannotUnseal) as error:
            failure, is_final = _told(error), True
        told = None if body is None else msgspec.json.encode(body)
        note = partial(
            note_call,
            command_id=command.id,
            failure=failure,
            is_final=is_final,
            answer=told,
            now=self._clock.now(),
            rules=self._rules,
        )
        again_at = await self._store.write(note)
        if again_at is not None:
            self._agenda.look_at(runtime.key, again_at)

    async def _signing(self, runtime: SteeredRuntime) -> Signing:
        """Sign with the secret that the runtime reports under."""
        key_id = runtime.key_id
        found = None if key_id is None else await self._store.read(lambda c: secrets.find(c, key_id))
        sealed = None if found is None else found[1]
        if key_id is None or sealed is None:
            raise Refused(
                "The secret that the runtime reported under is gone.", fix="Give it a new one and restart it."
            )
        material = self._vault.open(sealed, key_id=key_id)
        return Signing(key_id=key_id, material=material, issuer=self._issuer, audiences=self._audiences)

    @staticmethod
    def _target(runtime: SteeredRuntime, address: str | None) -> ManagementTarget:
        node = runtime.document.node
        return ManagementTarget(
            runtime=runtime.id,
            hostname=node.management_hostname,
            port=_port(node.management_port),
            heartbeats_from=address,
        )


def _told(error: PilothouseError) -> str:
    return f"{error.message} ({error.code}) {error.fix}".strip()


def _port(told: str | None) -> int | None:
    """None is the default port; what is no number is refused where it is used, not taken for the default."""
    if told is None:
        return None
    return int(told) if told.isascii() and told.isdigit() else -1
