"""In a process of its own: open connections, say nothing, count those that the server ends. Arguments: port, count."""

import resource
import selectors
import socket
import sys
import time

port, count = int(sys.argv[1]), int(sys.argv[2])
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
selector = selectors.DefaultSelector()
for _ in range(count):
    held = socket.create_connection(("127.0.0.1", port), timeout=20)
    held.setblocking(False)
    selector.register(held, selectors.EVENT_READ)
print("connected", flush=True)  # noqa: T201 -- how it talks to the test
until = time.monotonic() + 40
ended = 0
while ended < count and time.monotonic() < until:
    for key, _ in selector.select(1):
        selector.unregister(key.fileobj)
        key.fileobj.close()
        ended += 1
print(ended, flush=True)  # noqa: T201 -- how it talks to the test
