"""The same runtimeId in two projects: told to who sees both, and of the other project nothing to who sees one."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from staff import Staff

ASKED = "warnings { code message } movedTo { integration { handle } }"
LIST = f"{{ runtimes {{ nodes {{ id status {ASKED} }} }} }}"
ONE = f"query ($id: ID!) {{ runtime(id: $id) {{ {ASKED} }} }}"

pytestmark = pytest.mark.anyio


async def test_who_sees_one_project_is_told_nothing_of_another(plane, admin, runtime, clock) -> None:
    staff = Staff(plane, admin)
    await runtime.full()
    other = type(runtime)(plane, await admin.secret(), project="Payments", integration="ledger")
    clock.advance(1)
    await other.full()
    await staff.holder("anna", "INTEGRATION_MGT_VIEW", project="retail-core")
    codes = []
    async with staff.signed_in("anna") as anna:
        for _ in ("both live", "one fell silent"):
            found = await anna.ask(LIST)
            (node,) = found["runtimes"]["nodes"]
            assert (node["warnings"], node["movedTo"]) == ([], None)
            one = await anna.ask(ONE, id=node["id"])
            assert "ledger" not in json.dumps([found, one])
            assert "payments" not in json.dumps([found, one])
            of_all = (await admin.ask(LIST))["runtimes"]["nodes"]
            codes += [
                [warning["code"] for warning in shown["warnings"]] for shown in of_all if shown["id"] == node["id"]
            ]
            clock.advance(100)
            await other.full()
    assert codes == [["SAME_RUNTIME_ID"], ["MOVED"]]
