"""Owns the time of the pretended Slack: real time plus what a test adds, and work to come; refuses to run backwards."""

import heapq
import itertools
import threading
import time


class Clock:
    """Real time, plus what `passes(...)` added."""

    def __init__(self):
        self.moved = threading.Condition()
        self._ahead = 0.0

    def now(self):
        """Return the seconds since 1970."""
        return time.time() + self._ahead

    def passes(self, *, seconds=0.0, minutes=0.0):
        """Let time pass at once: what is due by then, such as a retry, begins now."""
        with self.moved:
            self._ahead += seconds + 60 * minutes
            self.moved.notify_all()


class Errands:
    """Work in threads of its own, now or when its time has come; `stop()` leaves no thread behind."""

    def __init__(self, clock):
        self._clock = clock
        self._due = []
        self._order = itertools.count()
        self._running = set()
        self._stopped = False
        self._watch = threading.Thread(target=self._look, name="slack-errands", daemon=True)
        self._watch.start()

    def run(self, work, *args, after=0.0):
        """Run `work` in a thread once `after` seconds of the clock have passed."""
        with self._clock.moved:
            if self._stopped:
                return
            if after <= 0:
                self._start(work, args)
            else:
                heapq.heappush(self._due, (self._clock.now() + after, next(self._order), work, args))
                self._clock.moved.notify_all()

    def idle(self, soon=1.0):
        """Tell whether nothing runs and nothing begins within `soon` seconds."""
        with self._clock.moved:
            return not self._running and not (self._due and self._due[0][0] <= self._clock.now() + soon)

    def stop(self, timeout=8.0):
        """Drop what is not due, wait for what runs."""
        with self._clock.moved:
            self._stopped = True
            self._due.clear()
            self._clock.moved.notify_all()
            threads = [self._watch, *self._running]
        until = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        left = [thread.name for thread in threads if thread.is_alive()]
        assert not left, f"still running after {timeout} s: {left}"

    def _start(self, work, args):
        thread = threading.Thread(target=self._do, args=(work, args), name=f"slack-{work.__name__}", daemon=True)
        self._running.add(thread)
        thread.start()

    def _do(self, work, args):
        try:
            work(*args)
        finally:
            with self._clock.moved:
                self._running.discard(threading.current_thread())

    def _look(self):
        with self._clock.moved:
            while not self._stopped:
                while self._due and self._due[0][0] <= self._clock.now():
                    _, _, work, args = heapq.heappop(self._due)
                    self._start(work, args)
                self._clock.moved.wait(max(0.0, self._due[0][0] - self._clock.now()) if self._due else None)
