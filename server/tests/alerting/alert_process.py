"""A process of its own that judges and sends over a database that others judge and send over, too.

python alert_process.py HOME URL: says `ready` and by which id it claims work, begins when a line comes in, and works until it is
killed. Whoever beats no more is offline at once.
"""

import asyncio
import sys
from pathlib import Path

from pilothouse.alerting import sending, worker
from pilothouse.app.control_plane import open_control_plane
from pilothouse.base.clock import SystemClock
from pilothouse.config import Settings

LEASE_S = 4.0


async def main(home: Path, url: str) -> None:
    sending.LEASE_S = LEASE_S
    worker.JUDGE_EVERY_S = worker.SEND_EVERY_S = 0.2
    settings = Settings(
        home=home,
        database_url=url,
        telemetry_store="memory",
        notify_allow="127.0.0.0/8",
        follow_events_s=0.2,
        offline_after_s=2.0,
    )
    plane = await open_control_plane(settings, SystemClock())
    sys.stdout.write(f"ready {plane.alerting._claim.owner}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    await plane.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
