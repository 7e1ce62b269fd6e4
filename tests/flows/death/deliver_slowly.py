"""Delivers one notice after the other, each taking a while, and prints each key once it was sent."""

import sys
import time
from datetime import timedelta

import parts
from triage import service
from triage.store import outbox

LEASE = timedelta(seconds=1)  # a dead worker's row comes back soon enough for a test


class SlowNotifier:
    def send(self, notice, *, again=False):
        time.sleep(0.02)
        print(notice.key, flush=True)
        time.sleep(0.02)


services = parts.build(sys.argv[1], SlowNotifier()).services
until_done = len(sys.argv) > 2
print("up", flush=True)
while True:
    claimed = service.deliver(services, f"w-{time.monotonic_ns()}", parts.now, LEASE)
    waiting = services.transactions.read(outbox.counts)["pending"]
    if until_done and not waiting:
        break
    if not claimed:
        time.sleep(0.05)
