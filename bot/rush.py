"""Owns what can wait while requests are being stored: deciding on them; refuses to lose it or to wait for long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import structlog

log = structlog.get_logger()

DECIDING = 2  # threads: what the model needs is processor time, and the acknowledgements need it first
LONGEST = 1.0  # seconds that a decision waits for a rush to end


class Rush:
    """Lets acknowledgements go first: people must not see an error because others' tickets are being judged."""

    def __init__(self) -> None:
        self._quiet = threading.Condition()
        self._storing = 0
        self._pool = ThreadPoolExecutor(DECIDING, "slack-decide")

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Say that a request is being stored."""
        with self._quiet:
            self._storing += 1
        try:
            yield
        finally:
            with self._quiet:
                self._storing -= 1
                if not self._storing:
                    self._quiet.notify_all()

    def later(self, work: Callable[..., Any], *args: Any) -> None:
        """Do something once the rush is over; what fails or never runs is found again by the sweep."""
        self._pool.submit(self._do, work, args)

    def _do(self, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
        with self._quiet:
            self._quiet.wait_for(lambda: not self._storing, LONGEST)
        try:
            work(*args)
        except Exception as error:  # noqa: BLE001 - the ticket is stored: the sweep decides on it
            log.error("triage_failed", error=type(error).__name__)
