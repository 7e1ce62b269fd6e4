"""Owns the worker's loop: deliver what is due, sweep when it is time, rest when there is nothing; refuses to decide."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable
from datetime import datetime

import structlog

from triage import service
from triage.commit import StoreUnavailableError

log = structlog.get_logger()

IDLE_SECONDS = 0.2  # somebody may have clicked and be waiting to see it
TROUBLE_SECONDS = 5.0


class Worker:
    """Runs in a thread or a process of its own; any number may run side by side."""

    def __init__(self, services: service.Services, clock: Callable[[], datetime]) -> None:
        self._services = services
        self._clock = clock
        self._stopping = threading.Event()
        self._next_sweep: datetime | None = None
        # Unique per process life: a restarted worker must not take its dead self's lease for its own.
        self.name = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(4)}"

    def run(self) -> None:
        """Work until `stop` is called; a piece of work under way is finished first."""
        log.info("worker_started", worker=self.name)
        while not self._stopping.is_set():
            self._stopping.wait(self.turn())
        log.info("worker_stopped", worker=self.name)

    def turn(self) -> float:
        """Do one piece of work; returns how many seconds to rest before the next."""
        try:
            now = self._clock()
            if self._next_sweep is None or now >= self._next_sweep:
                self._next_sweep = now + service.SWEEP_EVERY
                service.sweep(self._services, now)
            return 0.0 if service.deliver(self._services, self.name, self._clock) else IDLE_SECONDS
        except StoreUnavailableError:
            log.warning("store_unavailable", worker=self.name)
            return TROUBLE_SECONDS
        except Exception as error:  # noqa: BLE001 - one broken piece of work must not stop all others
            log.error("worker_trouble", worker=self.name, error=type(error).__name__)
            return TROUBLE_SECONDS

    def stop(self) -> None:
        """Ask the loop to end."""
        self._stopping.set()
