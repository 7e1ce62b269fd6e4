"""Owns the console notifier: prints what would be sent, so that the product runs with no account anywhere."""

from __future__ import annotations

import sys
import threading
from typing import TextIO

from triage.ticket import Notice


class ConsoleNotifier:
    """Writes each notice to a stream, a few lines each."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._lock = threading.Lock()

    def send(self, notice: Notice, *, again: bool = False) -> None:
        """Print one notice."""
        body = "\n".join(f"    {line}" for line in notice.text.splitlines())
        with self._lock:
            print(f"--> {notice.to} [{notice.kind}]\n{body}", file=self._stream, flush=True)
