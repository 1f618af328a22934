"""Delta heartbeats from wrk: a server to send them to, the script that says what is sent, and what came of it."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from requests_of_runtimes import delta_body

_HERE = Path(__file__).parent
_LUA = """
local requests, at = {}, 0
init = function()
  for line in io.lines("%(requests)s") do
    local authorization, body = line:match("^(.-)\\t(.*)$")
    requests[#requests + 1] = wrk.format("POST", "%(path)s",
      {["Authorization"] = authorization, ["Content-Type"] = "application/json", ["Content-Length"] = #body}, body)
  end
end
request = function() at = at %% #requests + 1; return requests[at] end
"""


@contextmanager
def serving(*arguments: str, ends_s: float = 30.0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Run `delta_server.py`; give its process id and what it tells of itself."""
    server = subprocess.Popen(
        [sys.executable, str(_HERE / "delta_server.py"), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin
    assert server.stdout
    try:
        yield server.pid, json.loads(server.stdout.readline())
    finally:
        server.stdin.close()
        server.wait(ends_s)
        server.stdout.close()


def write_script(folder: Path, runtimes: Path) -> Path:
    """Write what wrk sends: a delta heartbeat of each runtime in turn."""
    requests = folder / "requests"
    requests.write_text(
        "".join(f"{token}\t{delta_body(runtime_id)}\n" for runtime_id, token in json.loads(runtimes.read_text()))
    )
    script = folder / "load.lua"
    script.write_text(_LUA % {"requests": requests, "path": "/icp/deltaHeartbeat"})
    return script


def answered(told: str) -> int:
    """Count the requests that wrk tells of; all of them must have been answered well."""
    assert "Non-2xx" not in told, told
    return int(re.search(r"(\d+) requests in", told)[1])
