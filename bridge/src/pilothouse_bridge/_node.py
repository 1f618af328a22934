"""The machine and the process that this program runs on."""

import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_IMPORTED_AT_S: Final = time.time()


@dataclass(frozen=True, slots=True)
class Node:
    """What an operator needs to find this process; ``started_at_s`` is seconds since the epoch, in UTC."""

    platform_name: str
    platform_version: str
    platform_home: str
    os_name: str
    os_version: str
    os_arch: str
    hostname: str
    process_id: int
    started_at_s: float


def describe() -> Node:
    """Look once; none of it changes while the process lives (a forked child looks again)."""
    return Node(
        platform_name="python",
        platform_version=f"{platform.python_implementation()} {platform.python_version()}",
        platform_home=sys.prefix,
        os_name=platform.system(),
        os_version=platform.release(),
        os_arch=platform.machine(),
        hostname=platform.node(),
        process_id=os.getpid(),
        started_at_s=_started_at_s(),
    )


def _started_at_s() -> float:
    """When the kernel started this process, else when this module was imported."""
    try:
        # Source: proc(5); field 22 of stat counts clock ticks since boot, and the name before it may hold spaces.
        ticks = int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
        boot_lines = (
            line for line in Path("/proc/stat").read_text(encoding="ascii").splitlines() if line.startswith("btime ")
        )
        started_at_s = int(next(boot_lines).split()[1]) + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration, AttributeError):
        return _IMPORTED_AT_S
    # Containers with a clock namespace of their own tell nonsense here; a start after our import is one.
    return min(started_at_s, _IMPORTED_AT_S) if started_at_s > 0 else _IMPORTED_AT_S
