"""Secrets and deletion: cases 58 to 62."""

import json
import re
import time
from pathlib import Path

from pilothouse_conformance.catalogue import case
from pilothouse_conformance.verdict import Skipped, demand
from pilothouse_conformance.world import Stage

SECRET = re.compile(r"^[0-9a-f]{8}\.[A-Za-z0-9+/=_-]{43,}$")
FLUSHED_S = 6.0
"""After this a server has written what it knows."""
_DELETE = """mutation ($id: ID!, $revoke: Boolean) {
  deleteRuntime(id: $id, revokeSecret: $revoke) { deleted orphanedKeyId secretRevoked } }"""


@case(58, slow=True)
def material_is_shown_once(stage: Stage) -> None:
    """Create secret: string matches the pattern; list never contains the material; DB row not readable as clear text."""
    secret = stage.secret()
    demand(SECRET.match(secret) is not None, "the secret's text does not match the pattern")
    key_id, _, material = secret.partition(".")
    lists = stage.console.ask("{ secrets(first: 200) { nodes { keyId bound createdBy } } }")
    single = stage.console.ask("query ($k: String!) { secret(keyId: $k) { keyId state createdBy } }", k=key_id)
    demand(material not in json.dumps([lists, single]), "the material can be read again")
    runtime = stage.runtime(secret=secret)
    runtime.full().ok()
    if stage.options.data is None:
        raise Skipped(
            "needs --data, the server's data directory: whether the material lies there cannot be seen from outside"
        )
    time.sleep(FLUSHED_S)
    found = [
        path.name
        for path in Path(stage.options.data).rglob("*")
        if path.is_file() and material.encode() in path.read_bytes()
    ]
    demand(not found, f"the material lies in {', '.join(found)}")


@case(59)
def bound_from_birth(stage: Stage) -> None:
    """Create bound secret → list: bound:true."""
    project, integration = stage.integration()
    secret = stage.secret(project=project, integration=integration)
    demand(stage.secret_row(secret)["bound"] is True, "the secret is listed as not bound")


@case(60, slow=True)
def revoked(stage: Stage) -> None:
    """Revoke → FH / DH / commandResult with it: 400; runtime OFFLINE after timeout; key absent from lists."""
    runtime = stage.steady()
    stage.console.ask("mutation ($k: String!) { revokeSecret(keyId: $k) { keyId } }", k=runtime.key_id)
    runtime.full().refused(400)
    runtime.delta().refused(400)
    runtime.result("x", "done").refused(400)
    demand(stage.secret_row(runtime.secret) is None, "the secret is listed")
    stage.fall_silent(runtime)


@case(61)
def deleted_and_back(stage: Stage) -> None:
    """Delete live runtime → its next DH: ok + full:true; then FH registers it anew."""
    runtime = stage.running()
    before = stage.row(runtime)
    deleted = stage.console.ask(_DELETE, id=before["id"], revoke=False)["deleteRuntime"]
    expected = {"deleted": True, "orphanedKeyId": runtime.key_id, "secretRevoked": False}
    demand(deleted == expected, f"the deletion came to {deleted}")
    demand(stage.find(runtime) is None, "the runtime is still listed")
    runtime.delta().ok(wants_full=True)
    demand(stage.find(runtime) is None, "a delta brought it back")
    runtime.full().ok()
    demand(stage.row(runtime)["id"] != before["id"], "it came back as the one that was deleted")


@case(62)
def deleted_with_its_secret(stage: Stage) -> None:
    """Delete runtime, revokeSecret, only user of the key: {deleted:true,orphanedKeyId:k,secretRevoked:true}; next beat 400."""
    runtime = stage.running()
    shared = stage.running(what="shared")
    stage.running(like=shared)
    kept = stage.console.ask(_DELETE, id=stage.row(shared)["id"], revoke=True)["deleteRuntime"]
    expected = {"deleted": True, "orphanedKeyId": None, "secretRevoked": False}
    demand(kept == expected, f"a deletion where another runtime uses the secret came to {kept}")
    deleted = stage.console.ask(_DELETE, id=stage.row(runtime)["id"], revoke=True)["deleteRuntime"]
    expected = {"deleted": True, "orphanedKeyId": runtime.key_id, "secretRevoked": True}
    demand(deleted == expected, f"the deletion came to {deleted}")
    runtime.delta().refused(400)
    runtime.full().refused(400)
    demand(stage.secret_row(runtime.secret) is None, "the secret is listed")
