"""How many durable tickets a second: the product's filing beside drivers that do less.

    python benchmarks/intake.py [--dir DIR] [--filers 1 2 8 32]

Every variant stores a ticket and its first event in the same tables with the same
indexes, on SQLite with synchronous=FULL, and answers a filer after its commit:

- raw, group commit: one writer thread, two executemany per commit, up to 128 tickets
- raw, own transaction: every filer has a connection and commits by itself
- ORM session per filer: SQLAlchemy as most web applications use it
- the product: `service.file_ticket`, which also checks, cleans and masks the message

Rates mean nothing without the disk: its fdatasync rate is printed before and after.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import queue
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from report import load_average, note, table
from sqlalchemy import event
from sqlalchemy.orm import Session

from models.dataset import shipped_folder
from triage import knowledge, policy, service
from triage.commit import BATCH, Transactions
from triage.console import ConsoleNotifier
from triage.redact import redact
from triage.store.engine import migrate, open_engine
from triage.store.tables import EventRow, TicketRow
from triage.ticket import Message, Prediction

NOW = datetime(2026, 11, 24, 15, tzinfo=UTC)
STAMP = "2026-11-24 15:00:00.000000"
PATIENCE_MS = 60_000  # a filer with its own transaction waits so long for the others before it gives up
BASELINE, PRODUCT = "raw, group commit", "product: file_ticket"
IMPACT = {"affects_care": None, "other_device": None, "whole_unit": None}
TICKET = (
    "INSERT INTO tickets (id, channel, external_id, requester, unit, device, language, text, spans, impact, withheld,"
    " truncated, received_at, status, is_open, restricted, escalated, version)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
EVENT = "INSERT INTO events (ticket_id, at, kind, actor, data) VALUES (?, ?, ?, ?, ?)"

FileOne = Callable[[str, int], None]  # external id, number of the text


@dataclass(frozen=True)
class Texts:
    """The same messages, as people wrote them and as they are stored."""

    raw: list[str]
    masked: list[str]

    @classmethod
    def shipped(cls, wanted: int = 500) -> Texts:
        """Draw texts of every length from the training data."""
        found = []
        for path in sorted(shipped_folder().glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                found += [row["text"].strip() for row in csv.DictReader(file)]
        raw = random.Random(0).sample(found, wanted)
        return cls(raw, [redact(text).text for text in raw])


@dataclass(frozen=True)
class Run:
    """What one run of one variant measured."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failed: int


def requester(number: int) -> str:
    return f"person{number}@example.org"


def raw_connection(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={PATIENCE_MS}"):
        conn.execute(f"PRAGMA {pragma}")
    return conn


def rows_of(key: str, text: str, number: int, ticket_id: int | None) -> tuple[tuple, tuple]:
    ticket = (ticket_id, "bench", key, requester(number), "4 West", "", "en", text, "[]", json.dumps(IMPACT))
    data = json.dumps({"channel": "bench", "truncated": False})
    return (*ticket, 0, 0, STAMP, "new", 1, 0, 0, 1), (ticket_id, STAMP, "filed", requester(number), data)


@contextmanager
def raw_group(path: Path, texts: Texts) -> Iterator[FileOne]:
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    writer = threading.Thread(target=write_batches, args=(path, waiting))
    writer.start()

    def file_one(key: str, number: int) -> None:
        done = threading.Event()
        waiting.put((key, texts.masked[number], number, done))
        if not done.wait(PATIENCE_MS / 1000):
            raise TimeoutError("the writer does not answer")

    try:
        yield file_one
    finally:
        waiting.put(None)
        writer.join()


def write_batches(path: Path, waiting: queue.SimpleQueue[Any]) -> None:
    """Commit whatever is waiting, ids given here, until None arrives."""
    ids = count(1)
    with closing(raw_connection(path)) as conn:
        while (first := waiting.get()) is not None:
            batch = [first] + [waiting.get_nowait() for _ in range(min(BATCH - 1, waiting.qsize()))]
            rows = [rows_of(key, text, number, next(ids)) for key, text, number, _ in batch]
            conn.execute("BEGIN IMMEDIATE")
            conn.executemany(TICKET, [ticket for ticket, _ in rows])
            conn.executemany(EVENT, [filed for _, filed in rows])
            conn.execute("COMMIT")
            for *_, done in batch:
                done.set()


@contextmanager
def raw_alone(path: Path, texts: Texts) -> Iterator[FileOne]:
    mine = threading.local()
    opened: list[sqlite3.Connection] = []

    def file_one(key: str, number: int) -> None:
        if not hasattr(mine, "conn"):
            mine.conn = raw_connection(path)
            opened.append(mine.conn)
        ticket, filed = rows_of(key, texts.masked[number], number, None)
        mine.conn.execute("BEGIN IMMEDIATE")
        ticket_id = mine.conn.execute(TICKET, ticket).lastrowid
        mine.conn.execute(EVENT, (ticket_id, *filed[1:]))
        mine.conn.execute("COMMIT")

    yield file_one
    for conn in opened:
        conn.close()


@contextmanager
def orm(path: Path, texts: Texts) -> Iterator[FileOne]:
    engine = open_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", lambda conn, _: conn.execute(f"PRAGMA busy_timeout={PATIENCE_MS}"))
    writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")

    def file_one(key: str, number: int) -> None:
        with Session(writing) as session:
            ticket = TicketRow(
                channel="bench", external_id=key, requester=requester(number), unit="4 West", device="",
                language="en", text=texts.masked[number], spans=[], impact=IMPACT, withheld=False, truncated=False,
                received_at=NOW, status="new", is_open=True, restricted=False, escalated=0, version=1,
            )  # fmt: skip
            session.add(ticket)
            session.flush()
            data = {"channel": "bench", "truncated": False}
            session.add(EventRow(ticket_id=ticket.id, at=NOW, kind="filed", actor=requester(number), data=data))
            session.commit()

    yield file_one
    engine.dispose()


class Silent:
    """A classifier that is never asked: filing does not classify."""

    def predict(self, text: str) -> Prediction:
        """Know nothing."""
        return Prediction(error="not asked")


@contextmanager
def product(path: Path, texts: Texts) -> Iterator[FileOne]:
    engine = open_engine(f"sqlite:///{path}")
    services = service.Services(
        Transactions(engine), policy.load(), knowledge.load(), Silent(), ConsoleNotifier(), b"benchmark" * 4
    )

    def file_one(key: str, number: int) -> None:
        message = Message(texts.raw[number], "bench", key, requester=requester(number), unit="4 West")
        service.file_ticket(services, message, NOW)

    yield file_one
    engine.dispose()


VARIANTS: dict[str, Callable[[Path, Texts], AbstractContextManager[FileOne]]] = {
    BASELINE: raw_group,
    "raw, own transaction": raw_alone,
    "ORM session per filer": orm,
    PRODUCT: product,
}


def measure(variant: str, folder: Path, texts: Texts, filers: int, seconds: float) -> Run:
    """Run one variant on a fresh database and check that every acknowledged ticket is in it."""
    with tempfile.TemporaryDirectory(dir=folder) as home:
        path = Path(home) / "bench.db"
        engine = open_engine(f"sqlite:///{path}")
        migrate(engine)
        engine.dispose()
        with VARIANTS[variant](path, texts) as file_one:
            run, answered = drive(file_one, len(texts.raw), filers, seconds)
        with closing(sqlite3.connect(path)) as conn:
            stored = conn.execute("SELECT (SELECT count(*) FROM tickets), (SELECT count(*) FROM events)").fetchone()
    if stored != (answered, answered) and not run.failed:
        raise AssertionError(f"{variant}: {answered} tickets were acknowledged, (tickets, events) stored: {stored}")
    return run


def drive(file_one: FileOne, texts: int, filers: int, seconds: float) -> tuple[Run, int]:
    """File from `filers` threads that start together; the first ticket of each, before that, opens its connection."""
    ready = threading.Barrier(filers + 1, timeout=2 * PATIENCE_MS / 1000)
    waits: list[list[float]] = [[] for _ in range(filers)]
    failed = [0] * filers

    def work(mine: int) -> None:
        file_one(f"{mine}-first", mine)
        ready.wait()
        end = time.perf_counter() + seconds
        for number in count(mine):
            began = time.perf_counter()
            if began >= end:
                return
            try:
                file_one(f"{mine}-{number}", number % texts)
            except Exception:  # noqa: BLE001 - a refused ticket is a figure too
                failed[mine] += 1
            else:
                waits[mine].append(time.perf_counter() - began)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(filers)]
    for thread in threads:
        thread.start()
    ready.wait()
    began, cpu = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.join()
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu
    ms = sorted(1000 * wait for one in waits for wait in one)
    p50, p99 = ms[len(ms) // 2], ms[int(len(ms) * 0.99)]
    return Run(len(ms) / spent, p50, p99, 1e6 * cpu / len(ms), sum(failed)), len(ms) + filers


def masking_us(texts: Texts) -> float:
    """Return the CPU us that masking alone costs a ticket: no other variant does it."""
    began = time.thread_time()
    for text in texts.raw:
        redact(text)
    return 1e6 * (time.thread_time() - began) / len(texts.raw)


def disk(folder: Path, seconds: float = 3.0) -> dict[str, float]:
    """Return how often a second 4 KiB can be written and forced to the disk, at the end of a file and in place."""
    rates = {}
    for kind in ("append", "overwrite"):
        with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
            file.write(b"\0" * 4096)
            os.fsync(file.fileno())
            done, end = 0, time.perf_counter() + seconds
            while time.perf_counter() < end:
                if kind == "overwrite":
                    file.seek(0)
                file.write(b"x" * 4096)
                os.fdatasync(file.fileno())
                done += 1
            rates[kind] = round(done / seconds, 1)
    return rates


def compare(texts: Texts, filers: int, arguments: argparse.Namespace) -> list[list[Any]]:
    """Run all variants one after the other, several times, so that the disk's moods hit all alike."""
    runs: dict[str, list[Run]] = {name: [] for name in VARIANTS}
    for _ in range(arguments.repeats):
        for name in VARIANTS:
            runs[name].append(measure(name, arguments.dir, texts, filers, arguments.seconds))
    rows = []
    for name, mine in runs.items():
        share = median(one.rate / base.rate for one, base in zip(mine, runs[BASELINE], strict=True))
        middle = {
            field: round(median(getattr(one, field) for one in mine), 3)
            for field in ("rate", "p50_ms", "p99_ms", "cpu_us")
        }
        failed = sum(one.failed for one in mine)
        rows.append([name, filers, *middle.values(), share, failed])
        rates = [round(one.rate, 1) for one in mine]
        found = {**middle, "share": round(share, 3), "failed": failed, "rates": rates}
        note(arguments.out, script="intake", variant=name, filers=filers, **found)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="a folder on the disk to measure")
    parser.add_argument("--filers", type=int, nargs="+", default=[1, 2, 8, 32])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="append one JSON line per measurement")
    arguments = parser.parse_args()
    load_average("at start")
    before = disk(arguments.dir)
    texts, rows = Texts.shipped(), []
    for filers in arguments.filers:
        rows += compare(texts, filers, arguments)
    after = disk(arguments.dir)
    header = ("variant", "filers", "tickets/s", "p50 ms", "p99 ms", "CPU us/ticket", "share of raw group", "refused")
    table(header, rows)
    masking = masking_us(texts)
    print(f"masking alone: {masking:.0f} us CPU per ticket, in the product's figures and in no other's")
    note(arguments.out, script="intake", masking_us=round(masking, 1))
    for when, rates in (("before", before), ("after", after)):
        print(f"fdatasync of 4 KiB {when}: append {rates['append']:.0f}/s, overwrite {rates['overwrite']:.0f}/s")
        note(arguments.out, script="intake", disk=when, **rates)
    load_average("at end")


if __name__ == "__main__":
    main()
