"""Owns transactions: one per piece of work, grouped on SQLite; refuses to know what the work is.

Durable SQLite is bound by fsync, so callers that arrive while a commit is under way
share the next one: with 32 callers that is many times faster than a commit each.
PostgreSQL groups commits by itself.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

T = TypeVar("T")
Item = TypeVar("Item")
Work = Callable[[Connection], T]
Batch = Callable[[Connection, Sequence[Item]], Sequence[T]]  # one result per item, in their order

# SQLite's way of saying that the database cannot be used now; its other errors are mistakes in the work.
_UNUSABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOTADB,
    }
)

_READ_ONLY = "25006"  # PostgreSQL's code for a server that takes no writes now

BATCH = 128  # pieces of work in one commit at most: keeps the wait of the last one short


class StoreUnavailableError(Exception):
    """The database is locked, full or gone: nothing was stored; trying again later may help."""


def _translated(error: DBAPIError) -> Exception:
    """Return StoreUnavailableError where the database is at fault, the error itself where the work is."""
    if isinstance(error, InternalError) and getattr(error.orig, "sqlstate", "") != _READ_ONLY:
        return error
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None and code & 0xFF not in _UNUSABLE:
        return error
    return StoreUnavailableError(str(error.orig))


def _each(connection: Connection, works: Sequence[Work[T]]) -> list[T]:
    """Do pieces of work that have nothing in common one after the other."""
    return [work(connection) for work in works]


class _Job:
    """One caller's item, and what became of it. Woken either to lead a batch or because it is done."""

    __slots__ = ("batch", "error", "item", "leads", "result", "wake")

    def __init__(self, batch: Batch[Any, Any], item: Any) -> None:
        self.batch = batch
        self.item = item
        self.leads = False
        self.wake = threading.Event()
        self.result: Any = None
        self.error: Exception | None = StoreUnavailableError("the commit was interrupted")


def _in_batches(connection: Connection, jobs: Sequence[_Job]) -> list[Any]:
    """Run the jobs in the order they came; neighbours of one batch in one call."""
    results: list[Any] = []
    for batch, alike in groupby(jobs, key=lambda job: job.batch):
        results += batch(connection, [job.item for job in alike])
    return results


class Transactions:
    """Runs work in transactions. Work must be repeatable: it touches nothing but its connection."""

    def __init__(self, engine: Engine) -> None:
        self._grouped = engine.dialect.name == "sqlite"
        self._writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        # One moment of the database for a whole query; SQLite gives that by itself.
        self._reading = engine if self._grouped else engine.execution_options(isolation_level="REPEATABLE READ")
        self._lock = threading.Lock()
        self._queue: deque[_Job] = deque()
        self._busy = False

    def read(self, query: Work[T]) -> T:
        """Run a query on a consistent view of the database."""
        try:
            with self._reading.connect() as connection:
                return query(connection)
        except (OperationalError, InterfaceError, InternalError) as error:
            raise _translated(error) from error
        except NoConnectionError as error:
            raise StoreUnavailableError("no connection to the database came free") from error

    def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once it is committed.

        Raises what `work` raised, or StoreUnavailableError; nothing is stored then.
        """
        return self.write_together(_each, work)

    def write_together(self, batch: Batch[Item, T], item: Item) -> T:
        """Like `write`, but callers of the same `batch` are served by one call of it with all their items.

        `batch` gets one item or many and returns a result for each; many statements then become one.
        """
        if not self._grouped:
            return self._alone(lambda connection: batch(connection, [item]))[0]
        job = _Job(batch, item)
        with self._lock:
            self._queue.append(job)
            if not self._busy:
                self._busy = job.leads = True
                job.wake.set()
        try:
            job.wake.wait()
        except BaseException:  # interrupted while waiting: the turn must not stay with a caller that left
            self._leave(job)
            raise
        if job.leads:
            try:
                self._commit_waiting()
            finally:
                self._hand_over()
        if job.error is not None:
            raise job.error
        return cast(T, job.result)

    def overwrite_deleted(self) -> None:
        """On SQLite, empty the write-ahead log: it may hold deleted words. Put off while somebody reads."""
        if self._grouped:
            with self._reading.connect() as connection:
                driver: Any = connection.connection.driver_connection  # a checkpoint cannot run inside a transaction
                (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
                driver.execute("PRAGMA busy_timeout=100")  # writers wait meanwhile
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                driver.execute(f"PRAGMA busy_timeout={patience}")

    def _leave(self, job: _Job) -> None:
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
        if job.leads:
            self._hand_over()

    def _hand_over(self) -> None:
        """Let the first caller that came meanwhile lead the next batch."""
        with self._lock:
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].wake.set()
            else:
                self._busy = False

    def _alone(self, work: Work[T]) -> T:
        try:
            with self._writing.begin() as connection:
                return work(connection)
        except (OperationalError, InterfaceError, InternalError) as error:
            raise _translated(error) from error
        except NoConnectionError as error:
            raise StoreUnavailableError("no connection to the database came free") from error

    def _commit_waiting(self) -> None:
        """Commit up to BATCH waiting jobs together; if that fails, each on its own.

        One by one, so that one bad ticket cannot fail its neighbours. A caller is
        released only after the commit that holds its work.
        """
        with self._lock:
            jobs = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        try:
            results = self._alone(lambda connection: _in_batches(connection, jobs))
            for job, result in zip(jobs, results, strict=True):
                job.result, job.error = result, None
        except StoreUnavailableError as error:
            for job in jobs:
                job.error = error
        except Exception:  # noqa: BLE001 - whatever one job raised: each is run again alone and keeps its own error
            for job in jobs:
                self._run_alone(job)
        finally:
            for job in jobs:
                job.wake.set()

    def _run_alone(self, job: _Job) -> None:
        try:
            job.result, job.error = self._alone(lambda connection: job.batch(connection, [job.item]))[0], None
        except Exception as error:  # noqa: BLE001 - handed to the caller that waits for this job
            job.error = error
