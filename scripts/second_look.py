"""Run again, alone, what failed in the whole run: CI's machine is small, and a test that fails for want of time tells nothing of the code.

Nothing is hidden: what passes only now is named, and many failures are never looked at twice.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
_GROUP = re.compile(r"@[a-z-]+$")
"""What xdist adds to the name of a test that keeps together with others."""
MOST = 5
"""More than so many have a cause in common."""


def main() -> int:
    """Return 0 when everything that failed passes alone."""
    noted = json.loads(FAILED.read_text()) if FAILED.exists() else {}
    failed = sorted({_GROUP.sub("", name) for name in noted})
    if not 0 < len(failed) <= MOST:
        print(f"{len(failed)} tests failed: at most {MOST} are tried again.")
        return 1
    print(f"Trying {len(failed)} again, alone: {', '.join(failed)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "pytest", "-n", "0", *failed], cwd=ROOT, check=False)  # noqa: S603
    if done.returncode == 0:
        print(f"UNSTEADY: failed beside others and passed alone: {', '.join(failed)}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
