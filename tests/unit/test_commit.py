"""Promises of transactions: each caller gets its own answer, and what is acknowledged is stored exactly once."""

import signal
import sqlite3
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import create_engine, event, func, insert, make_url, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from builders import NOON
from triage.commit import BATCH, StoreUnavailableError, Transactions
from triage.store import engine
from triage.store.tables import IncidentRow, SwitchRow

PATIENCE = 10  # seconds until a test that would hang for ever fails instead


def note(conn, word):
    """Store one row that says `word`; nothing keeps it from being stored twice. Returns its id."""
    row = {"category": "test", "unit": word, "device": "", "is_open": True, "opened_at": NOON, "last_report_at": NOON}
    return conn.execute(insert(IncidentRow).returning(IncidentRow.id), row).scalar_one()


def noting(word):
    return partial(note, word=word)


def words(conn):
    return list(conn.execute(select(IncidentRow.unit).order_by(IncidentRow.id)).scalars())


def stored(database):
    with database.connect() as conn:
        return words(conn)


class Caller(threading.Thread):
    """One caller of `write`, or of a batch, in a thread of its own; keeps what became of it."""

    def __init__(self, transactions, work, *item):
        super().__init__(daemon=True)
        self._write = partial(transactions.write_together if item else transactions.write, work, *item)
        self.result = self.error = None
        self.start()

    def run(self):
        try:
            self.result = self._write()
        except BaseException as error:  # noqa: BLE001 - an interrupt too is an outcome that tests look at
            self.error = error

    def ended(self):
        self.join(PATIENCE)
        return not self.is_alive()


def until(condition):
    """Spin until other threads have got there; no test's outcome depends on how long that takes."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"


@contextmanager
def a_commit_under_way(transactions):
    """Hold the leader inside its transaction, so that whoever writes now waits for the next batch."""
    begun, go_on = threading.Event(), threading.Event()

    def work(conn):
        begun.set()
        go_on.wait(PATIENCE)

    leader = Caller(transactions, work)
    begun.wait(PATIENCE)
    try:
        yield
    finally:
        go_on.set()
        leader.join(PATIENCE)


def together(transactions, *works):
    """Write all `works` in one batch, in this order; returns the callers, whose first one leads it."""
    with a_commit_under_way(transactions):
        callers = []
        for work in works:
            callers.append(Caller(transactions, work))
            until(lambda: len(transactions._queue) == len(callers))
    assert all(caller.ended() for caller in callers)
    return callers


@pytest.fixture
def transactions(database):
    return Transactions(database)


@pytest.fixture
def grouped(sqlite):
    """Transactions on SQLite, which share commits."""
    return Transactions(sqlite)


# --- results and errors ---------------------------------------------------------------


def test_a_write_returns_what_its_work_returned_once_it_is_stored(database, transactions):
    number = transactions.write(noting("a"))
    assert (number, stored(database)) == (1, ["a"])


def test_work_that_raises_stores_nothing_and_its_error_comes_back(database, transactions):
    def work(conn):
        note(conn, "half")
        raise LookupError("no such ticket")

    with pytest.raises(LookupError, match="no such ticket"):
        transactions.write(work)
    assert stored(database) == []


def test_a_row_the_database_refuses_is_the_callers_own_error(database, transactions):
    row = {"name": "automation", "on": True, "at": NOON, "actor": "a"}
    transactions.write(lambda conn: conn.execute(insert(SwitchRow), row))
    with pytest.raises(IntegrityError):
        transactions.write(lambda conn: conn.execute(insert(SwitchRow), row))


def test_callers_that_share_a_commit_get_their_own_results(sqlite, grouped):
    callers = together(grouped, *(lambda conn, n=n: (note(conn, f"w{n}"), n) for n in range(5)))
    assert [caller.result for caller in callers] == [(n + 1, n) for n in range(5)]
    assert stored(sqlite) == ["w0", "w1", "w2", "w3", "w4"]


def test_callers_that_share_a_commit_get_their_own_errors(grouped):
    def failing(n):
        def work(conn):
            raise LookupError(f"no ticket {n}")

        return work

    callers = together(grouped, failing(0), noting("a"), failing(2), failing(3))
    assert [str(caller.error) for caller in callers] == ["no ticket 0", "None", "no ticket 2", "no ticket 3"]


def noting_all(calls):
    """Return a batch that notes all its words in one statement and remembers how it was called."""

    def batch(conn, items):
        calls.append(list(items))
        if "bad" in items:
            raise LookupError("a bad word")
        return [note(conn, word) for word in items]

    return batch


def in_one_batch(transactions, batch, *items):
    with a_commit_under_way(transactions):
        callers = []
        for item in items:
            callers.append(Caller(transactions, batch, item))
            until(lambda: len(transactions._queue) == len(callers))
    assert all(caller.ended() for caller in callers)
    return callers


def test_callers_of_one_batch_are_served_by_one_call_in_the_order_they_came(sqlite, grouped):
    calls = []
    callers = in_one_batch(grouped, noting_all(calls), "a", "b", "c")
    assert calls == [["a", "b", "c"]]
    assert [caller.result for caller in callers] == [1, 2, 3]
    assert stored(sqlite) == ["a", "b", "c"]


def test_a_bad_item_of_a_batch_does_not_fail_its_neighbours(sqlite, grouped):
    callers = in_one_batch(grouped, noting_all([]), "a", "bad", "c")
    assert [str(caller.error) for caller in callers] == ["None", "a bad word", "None"]
    assert stored(sqlite) == ["a", "c"]


def test_a_caller_alone_is_a_batch_of_one(database, transactions):
    calls = []
    assert transactions.write_together(noting_all(calls), "a")
    assert calls == [["a"]]
    assert stored(database) == ["a"]


def _raises(conn):
    raise LookupError("no such ticket")


def _breaks_a_rule(conn):
    row = {"name": "automation", "on": True, "at": NOON, "actor": "a"}
    conn.execute(insert(SwitchRow), [row, row])


def _asks_for_a_missing_table(conn):
    conn.execute(text("SELECT * FROM no_such_table"))


@pytest.mark.parametrize("place", [0, 1, 3], ids=["leading", "among others", "last"])
@pytest.mark.parametrize(
    "trouble",
    [_raises, _breaks_a_rule, _asks_for_a_missing_table],
    ids=["its work raises", "the database refuses its row", "its statement cannot run"],
)
def test_one_failing_caller_does_not_fail_its_neighbours(sqlite, grouped, trouble, place):
    def bad(conn):
        note(conn, "bad")
        trouble(conn)

    works = [noting("a"), noting("b"), noting("c")]
    works.insert(place, bad)
    callers = together(grouped, *works)
    assert callers.pop(place).error is not None
    assert [caller.error for caller in callers] == [None, None, None]
    assert stored(sqlite) == ["a", "b", "c"]


def test_work_whose_error_is_caught_inside_it_counts_as_done(sqlite, grouped):
    def careful(conn):
        note(conn, "kept")
        try:
            with conn.begin_nested():
                note(conn, "dropped")
                _raises(conn)
        except LookupError:
            return "went on"

    callers = together(grouped, noting("a"), careful)
    assert callers[1].result == "went on"
    assert stored(sqlite) == ["a", "kept"]


# --- exactly once ---------------------------------------------------------------------


def test_what_32_callers_write_at_once_is_stored_exactly_once_each(database, transactions):
    start = threading.Barrier(32)

    def write(caller):
        start.wait()
        return [transactions.write(noting(f"{caller}-{turn}")) for turn in range(20)]

    with ThreadPoolExecutor(32) as pool:
        numbers = [number for mine in pool.map(write, range(32)) for number in mine]
    assert Counter(stored(database)) == Counter(f"{caller}-{turn}" for caller in range(32) for turn in range(20))
    assert len(set(numbers)) == 640


def test_what_was_acknowledged_is_there_for_everybody_at_once(database, transactions):
    def write(caller):
        transactions.write(noting(caller))
        return caller in transactions.read(words)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(write, [f"c{n}" for n in range(64)]))


def test_more_callers_than_one_batch_holds_are_all_served(sqlite, grouped):
    expected = [f"w{n}" for n in range(BATCH + 5)]
    callers = together(grouped, *map(noting, expected))
    assert [caller.error for caller in callers if caller.error] == []
    assert stored(sqlite) == expected


def test_two_processes_worth_of_transactions_share_one_database(sqlite):
    other = engine.open_engine(sqlite.url)
    both = [Transactions(sqlite), Transactions(other)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: both[n % 2].write(noting(f"w{n}")), range(100)))
    other.dispose()
    assert sorted(stored(sqlite)) == sorted(f"w{n}" for n in range(100))


# --- a commit that fails --------------------------------------------------------------


def _disk_trouble(conn):
    raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))


def test_a_commit_that_fails_stores_nothing_and_acknowledges_nothing(database, transactions):
    event.listen(database, "commit", _disk_trouble, once=True)
    with pytest.raises(StoreUnavailableError, match="disk I/O error"):
        transactions.write(noting("a"))
    assert stored(database) == []
    assert transactions.write(noting("b"))
    assert stored(database) == ["b"]


def test_a_shared_commit_that_fails_acknowledges_nobody(sqlite, grouped):
    with a_commit_under_way(grouped):
        callers = [Caller(grouped, noting(word)) for word in ("a", "b", "c")]
        until(lambda: len(grouped._queue) == 3)
        commits = []

        @event.listens_for(sqlite, "commit")
        def second_commit_fails(conn):
            commits.append(conn)
            if len(commits) == 2:  # the first is the one under way
                _disk_trouble(conn)

    assert all(caller.ended() for caller in callers)
    assert {type(caller.error) for caller in callers} == {StoreUnavailableError}
    assert stored(sqlite) == []
    grouped.write(noting("later"))
    assert stored(sqlite) == ["later"]


def test_a_crash_in_every_commit_reaches_every_caller_and_stores_nothing(sqlite, grouped):
    def crash(conn):
        raise RuntimeError("power cut")

    callers = []
    with a_commit_under_way(grouped):
        callers += [Caller(grouped, noting(word)) for word in ("a", "b", "c")]
        until(lambda: len(grouped._queue) == 3)
        event.listen(sqlite, "commit", crash)
    assert all(caller.ended() for caller in callers)
    event.remove(sqlite, "commit", crash)
    assert [str(caller.error) for caller in callers] == ["power cut"] * 3
    assert stored(sqlite) == []


def test_a_full_disk_refuses_the_write_and_room_makes_it_possible_again(sqlite):
    room = {"pages": 1}  # SQLite takes the database's present size for less than that
    tight = engine.open_engine(sqlite.url)
    event.listen(tight, "checkout", lambda raw, *_: raw.execute(f"PRAGMA max_page_count={room['pages']}"))
    with pytest.raises(StoreUnavailableError, match="full"):
        Transactions(tight).write(noting("x" * 100_000))
    assert stored(sqlite) == []
    room["pages"] = 1_000_000
    Transactions(tight).write(noting("y" * 100_000))
    tight.dispose()
    assert stored(sqlite) == ["y" * 100_000]


# --- a database that cannot be used ---------------------------------------------------


@pytest.fixture
def impatient(sqlite):
    """Transactions on the same file that wait for another writer only for a moment."""
    found = engine.open_engine(sqlite.url)
    event.listen(found, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout=20"))
    yield Transactions(found)
    found.dispose()


@pytest.fixture
def held(sqlite):
    """Another connection that holds the database for itself until it is told `rollback`."""
    other = sqlite3.connect(sqlite.url.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield other
    other.close()


def test_a_locked_database_gives_no_acknowledgement(sqlite, impatient, held):
    with pytest.raises(StoreUnavailableError, match="locked"):
        impatient.write(noting("a"))
    held.rollback()
    assert stored(sqlite) == []


def test_a_database_that_was_locked_works_again_once_it_is_free(sqlite, impatient, held):
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            impatient.write(noting("refused"))
    held.rollback()
    impatient.write(noting("taken"))
    assert stored(sqlite) == ["taken"]


def test_everybody_who_waits_for_a_locked_database_is_told(impatient, held):
    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(impatient.write, noting(f"w{n}")) for n in range(8)]
    assert {type(one.exception()) for one in tries} == {StoreUnavailableError}


def test_a_locked_database_can_still_be_read(impatient, sqlite, held):
    assert impatient.read(words) == []


def test_work_is_not_even_tried_while_the_database_is_locked(impatient, held):
    seen = []
    with pytest.raises(StoreUnavailableError):
        impatient.write(seen.append)
    assert seen == []


@pytest.mark.parametrize("way", ["read", "write"])
def test_a_directory_that_is_gone_is_an_unavailable_store(tmp_path, way):
    lost = engine.open_engine(f"sqlite:///{tmp_path / 'lost' / 'triage.db'}")
    (tmp_path / "lost").rmdir()
    with pytest.raises(StoreUnavailableError, match="unable to open"):
        getattr(Transactions(lost), way)(words)


@pytest.mark.postgres
@pytest.mark.parametrize("way", ["read", "write"])
@pytest.mark.parametrize(
    "change",
    [{"database": "no_such_database"}, {"host": "127.0.0.1", "port": 1, "query": {}}],
    ids=["no such database", "nobody answers"],
)
def test_a_server_that_is_not_there_is_an_unavailable_store(postgres_server, way, change):
    lost = engine.open_engine(make_url(postgres_server).set(**change).render_as_string(hide_password=False))
    with pytest.raises(StoreUnavailableError):
        getattr(Transactions(lost), way)(words)
    lost.dispose()


def test_a_connection_that_dies_in_the_middle_stores_nothing_and_the_next_one_works(database, transactions):
    def work(conn):
        note(conn, "half")
        if conn.dialect.name == "postgresql":
            conn.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        raise OperationalError("INSERT", {}, sqlite3.OperationalError("disk I/O error"))

    with pytest.raises(StoreUnavailableError):
        transactions.write(work)
    transactions.write(noting("whole"))
    assert stored(database) == ["whole"]


@pytest.mark.parametrize("way", ["read", "write"])
def test_no_free_connection_is_an_unavailable_store(sqlite, way):
    narrow = create_engine(sqlite.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with narrow.connect(), pytest.raises(StoreUnavailableError):
        getattr(Transactions(narrow), way)(words)
    narrow.dispose()


# --- interrupts -----------------------------------------------------------------------


def _interrupted(conn):
    note(conn, "half")
    raise KeyboardInterrupt


@pytest.mark.parametrize("place", [0, 1], ids=["in its own work", "in a neighbour's work"])
def test_an_interrupted_leader_acknowledges_nobody_and_stores_nothing(sqlite, grouped, place):
    works = [noting("a"), noting("b")]
    works.insert(place, _interrupted)
    leader, *others = together(grouped, *works)
    assert isinstance(leader.error, KeyboardInterrupt)
    assert [str(other.error) for other in others] == ["the commit was interrupted"] * 2
    assert {type(other.error) for other in others} == {StoreUnavailableError}
    assert stored(sqlite) == []


def test_writing_goes_on_after_an_interrupted_leader(sqlite, grouped):
    together(grouped, _interrupted, noting("lost"))
    assert Caller(grouped, noting("later")).ended()
    assert stored(sqlite) == ["later"]


def test_callers_that_came_during_an_interrupted_commit_are_served(sqlite, grouped):
    begun, go_on = threading.Event(), threading.Event()

    def work(conn):
        begun.set()
        go_on.wait(PATIENCE)
        raise KeyboardInterrupt

    leader = Caller(grouped, work)
    begun.wait(PATIENCE)
    waiting = Caller(grouped, noting("patient"))
    until(lambda: len(grouped._queue) == 1)
    go_on.set()
    assert leader.ended()
    assert waiting.ended()
    assert stored(sqlite) == ["patient"]


def test_a_caller_interrupted_while_it_waits_does_not_stop_those_after_it(sqlite, grouped):
    """Only signals interrupt a waiting thread, and only the main one: so this test is the waiting caller itself."""
    was = signal.signal(signal.SIGUSR1, _raise_interrupt)
    try:
        with a_commit_under_way(grouped):
            after = _interrupt_the_waiter(grouped)
    finally:
        signal.signal(signal.SIGUSR1, was)
    assert after.ended(), "nobody leads the next commit"
    assert after.error is None
    assert "after" in stored(sqlite)


def _raise_interrupt(_number, _frame):
    raise KeyboardInterrupt


def _interrupt_the_waiter(transactions):
    main = threading.get_ident()

    def interrupt():
        until(lambda: len(transactions._queue) == 1)
        signal.pthread_kill(main, signal.SIGUSR1)

    helper = threading.Thread(target=interrupt)
    helper.start()
    with pytest.raises(KeyboardInterrupt):
        transactions.write(noting("interrupted"))
    helper.join()
    return Caller(transactions, noting("after"))


# --- reading --------------------------------------------------------------------------


def test_a_read_returns_its_answer(transactions):
    transactions.write(noting("a"))
    assert transactions.read(words) == ["a"]


def test_a_read_sees_one_moment_of_the_database_whatever_is_written_meanwhile(database, transactions):
    def query(conn):
        before = conn.execute(select(func.count()).select_from(IncidentRow)).scalar()
        with database.begin() as other:
            note(other, "meanwhile")
        return before, conn.execute(select(func.count()).select_from(IncidentRow)).scalar()

    assert transactions.read(query) == (0, 0)
    assert transactions.read(words) == ["meanwhile"]


def test_a_read_stores_nothing(database, transactions):
    transactions.read(noting("by mistake"))
    assert stored(database) == []


def test_a_reads_own_error_comes_back_as_it_is(transactions):
    with pytest.raises(LookupError, match="no such ticket"):
        transactions.read(_raises)
