"""A backup is taken while people write, and either fills an empty home completely or is refused in words."""

import random
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import event, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from builders import NOON, POLICY, a_message, a_prediction
from fakes import FakeClassifier, FakeNotifier
from models.compiled import Compiled, View
from models.registry import pack
from triage import bootstrap, service, settings
from triage.cli.admin import find_faults
from triage.commit import Transactions
from triage.store import audit, classifiers, copying, engine, marks, originals, people, sessions, tickets
from triage.store.copying import BackupError, backup, restore
from triage.store.tables import Base

SECRET = "a key for tests that is long enough"
KEY = SECRET.encode()  # the one that the fixtures' services sign with


def a_model():
    """A model that has learned nothing: enough to be signed, stored and verified."""
    view = View({}, np.zeros(0, np.float32), np.zeros((0, 2), np.float32))
    thresholds = {"with": {"route": 0.6}, "without": {"route": 0.6}}
    return Compiled(("printer", "out_of_scope"), (), view, view, np.zeros(2), None, thresholds)


def fill(services, classifier):
    """Use the product for a while, so that every table has rows."""
    classifier.says(a_prediction("device_downtime"))
    for number in range(4):
        person = f"person{number}.sample@example.org"
        message = a_message(
            f"l\u2019\u00e9cran \U0001f5a5 {number}", external_id=f"m-{number}", requester=person, unit="ICU"
        )
        service.receive(services, message, NOON + timedelta(microseconds=number))
    service.correct(services, "IT-1", "printer", "agent@example.org", NOON)
    service.sweep(services, NOON)
    service.open_entry(services, "IT-2", "privacy@example.org", NOON)
    service.mend(services, "IT-3", "\u00e9cran", "NAME", "agent@example.org", NOON)
    blob, digest = pack(a_model(), KEY)
    write = services.transactions.write
    write(lambda conn: originals.add(conn, [originals.Original(4, b"sealed", NOON)]))
    write(lambda conn: classifiers.add(conn, "v1", blob, digest, {"rows": 1, "half": 0.5}, "cli:tester", NOON))
    service.promote(services, "v1", "lead@example.org", "the first", NOON)
    write(lambda conn: people.put_user(conn, "alice.sample@example.org", "agent", "scrypt:made-up", NOON))
    write(lambda conn: people.put_token(conn, "monitoring", "a made-up token", ["tickets:read"], NOON))
    write(lambda conn: sessions.begin(conn, "a made-up secret", "alice.sample@example.org", NOON))
    write(lambda conn: marks.seen(conn, "home:alice.sample@example.org", NOON))
    write(lambda conn: people.set_switch(conn, people.AUTOMATION, "lead@example.org", NOON, on=False))


def contents(database):
    with database.connect() as conn:
        return {
            table.name: conn.execute(select(table).order_by(*table.primary_key)).all()
            for table in Base.metadata.sorted_tables
        }


def count(database):
    return sum(len(rows) for rows in contents(database).values())


def ask(database, question, *arguments):
    with database.connect() as conn:
        return question(conn, *arguments)


def in_backup(path, question, *arguments):
    """Ask a backup file something, as the product would ask a database."""
    copy = engine.open_engine(f"sqlite:///{path}")
    try:
        return ask(copy, question, *arguments)
    finally:
        copy.dispose()


def change(path, *statements):
    """Change a backup file behind the product's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for statement in statements:
            conn.execute(statement)


def forge(path, *statements):
    """Change a backup as somebody does who can also give it a fitting digest."""
    change(path, *statements)
    copying.stamp(path)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def shelf(tmp_path):
    """A folder for backups with nothing else in it."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


@pytest.fixture
def filled(services, classifier, database):
    """A database of each kind with rows in every table."""
    fill(services, classifier)
    return database


@pytest.fixture(scope="module")
def used(tmp_path_factory, articles):
    """A database file with rows in every table, made once: tests work on copies of it."""
    path = tmp_path_factory.mktemp("used") / "triage.db"
    database, judge = engine.open_engine(f"sqlite:///{path}"), FakeClassifier()
    engine.migrate(database)
    fill(service.Services(Transactions(database), POLICY, articles, judge, FakeNotifier(), KEY), judge)
    database.dispose()
    return path


@pytest.fixture
def filled_sqlite(used, tmp_path):
    """SQLite with rows in every table."""
    shutil.copy(used, tmp_path / "filled.db")
    found = engine.open_engine(f"sqlite:///{tmp_path / 'filled.db'}")
    yield found
    found.dispose()


@pytest.fixture
def saved(filled_sqlite, shelf):
    """A sound backup file."""
    backup(filled_sqlite, shelf / "good.db")
    return shelf / "good.db"


@pytest.fixture
def empty(database_url):
    """An empty home of each kind."""
    found = engine.open_engine(database_url)
    yield found
    found.dispose()


@pytest.fixture
def empty_sqlite(tmp_path):
    """An empty home on SQLite, whose directory does not exist yet."""
    found = engine.open_engine(f"sqlite:///{tmp_path / 'new home' / 'triage.db'}")
    yield found
    found.dispose()


def test_these_tests_fill_every_table(filled_sqlite):
    assert [name for name, rows in contents(filled_sqlite).items() if not rows] == []


# --- taking a backup ------------------------------------------------------------------


def test_a_backup_holds_every_row_and_tells_how_many(filled, shelf):
    assert backup(filled, shelf / "b.db") == count(filled)
    copy = engine.open_engine(f"sqlite:///{shelf / 'b.db'}")
    assert contents(copy) == contents(filled)
    copy.dispose()


def test_a_backup_of_an_unused_database_is_a_backup(database, shelf):
    assert backup(database, shelf / "b.db") == 0


def test_a_backup_changes_nothing_in_the_database(filled_sqlite, shelf):
    before = contents(filled_sqlite)
    backup(filled_sqlite, shelf / "b.db")
    assert contents(filled_sqlite) == before


def test_a_backup_is_one_file_that_only_its_owner_can_read(filled, shelf):
    backup(filled, shelf / "b.db")
    assert files(shelf) == ["b.db"]
    assert stat.S_IMODE((shelf / "b.db").stat().st_mode) == 0o600


def test_a_backup_taken_while_tickets_arrive_is_one_moment_of_the_database(services, database, shelf):
    acknowledged, enough, stop = [], threading.Event(), threading.Event()

    def file_tickets():
        while not stop.is_set():
            filed = service.receive(services, a_message(external_id=f"m-{len(acknowledged)}"), NOON)
            acknowledged.append(filed.ticket.ref)
            if len(acknowledged) == 5:
                enough.set()

    writer = threading.Thread(target=file_tickets)
    writer.start()
    try:
        enough.wait(10)
        before = list(acknowledged)
        backup(database, shelf / "b.db")
        after_start = len(acknowledged)
    finally:
        stop.set()
        writer.join()
    stored = [tickets.ref_of(row.id) for row in in_backup(shelf / "b.db", _every_ticket)]
    assert stored[: len(before)] == before
    assert 5 <= len(before) <= after_start <= len(acknowledged)
    assert in_backup(shelf / "b.db", audit.faults, KEY) == []
    assert in_backup(shelf / "b.db", _broken_links) == []


def _every_ticket(conn):
    return conn.execute(select(tickets.TicketRow.id).order_by(tickets.TicketRow.id)).all()


def _broken_links(conn):
    return conn.exec_driver_sql("PRAGMA foreign_key_check").all()


def test_writing_goes_on_after_a_backup(make_services, filled_sqlite, shelf):
    backup(filled_sqlite, shelf / "b.db")
    assert service.receive(make_services(filled_sqlite), a_message(external_id="later"), NOON).created


@pytest.mark.parametrize(
    "name",
    ["two words.db", "100% #1.db", "what?.db", "what?mode=memory.db", "\u00e9t\u00e9.db", "no-ending", "it's.db"],
    ids=ascii,
)
def test_a_backup_may_have_any_name(filled_sqlite, empty_sqlite, shelf, name):
    rows = backup(filled_sqlite, shelf / name)
    assert name in files(shelf)
    assert restore(shelf / name, empty_sqlite) == rows
    assert contents(empty_sqlite) == contents(filled_sqlite)


def test_a_backup_may_be_named_from_where_one_stands(filled_sqlite, shelf, monkeypatch):
    monkeypatch.chdir(shelf)
    backup(filled_sqlite, Path("here.db"))
    assert "here.db" in files(shelf)


@pytest.mark.parametrize("existing", [b"", b"an old backup"], ids=["empty file", "file"])
def test_a_backup_never_overwrites(filled_sqlite, shelf, existing):
    (shelf / "b.db").write_bytes(existing)
    with pytest.raises(BackupError, match="exists already"):
        backup(filled_sqlite, shelf / "b.db")
    assert files(shelf) == ["b.db"]
    assert (shelf / "b.db").read_bytes() == existing


def test_a_backup_never_replaces_a_directory(filled_sqlite, shelf):
    with pytest.raises(BackupError, match="exists already"):
        backup(filled_sqlite, shelf)


def test_a_backup_does_not_overwrite_a_file_that_appears_while_it_is_taken(filled_sqlite, shelf):
    def somebody_else(*_):
        (shelf / "b.db").write_text("somebody else's")

    event.listen(filled_sqlite, "checkout", somebody_else)
    with pytest.raises(BackupError):
        backup(filled_sqlite, shelf / "b.db")
    assert (shelf / "b.db").read_text() == "somebody else's"


def test_a_backup_into_a_missing_directory_is_refused(filled_sqlite, shelf):
    with pytest.raises(BackupError, match="nowhere"):
        backup(filled_sqlite, shelf / "nowhere" / "b.db")
    assert files(shelf) == []


def test_what_an_interrupted_backup_left_behind_does_not_stop_the_next(filled_sqlite, shelf):
    (shelf / "b.db.partial").write_bytes(b"half of a backup")
    assert backup(filled_sqlite, shelf / "b.db") == count(filled_sqlite)
    assert "b.db.partial" not in files(shelf)


def test_a_damaged_database_gives_no_backup(filled_sqlite, shelf):
    path = Path(filled_sqlite.url.database)
    path.write_bytes(flip(-4096, 8)(bytearray(path.read_bytes())))
    with pytest.raises(BackupError, match="damaged"):
        backup(filled_sqlite, shelf / "b.db")
    assert "b.db" not in files(shelf)


# --- restoring ------------------------------------------------------------------------


def test_a_backup_of_sqlite_fills_an_empty_home_of_each_kind(filled_sqlite, saved, empty):
    assert restore(saved, empty) == count(filled_sqlite)
    assert contents(empty) == contents(filled_sqlite)


def test_a_backup_of_each_kind_fills_an_empty_home_on_sqlite(filled, shelf, empty_sqlite):
    backup(filled, shelf / "b.db")
    assert restore(shelf / "b.db", empty_sqlite) == count(filled)
    assert contents(empty_sqlite) == contents(filled)


def test_more_rows_than_one_portion_survive_the_way_there_and_back(filled, shelf, empty_sqlite):
    with filled.begin() as conn:
        row = dict(conn.execute(select(tickets.TicketRow.__table__).limit(1)).one()._mapping)
        del row["id"]
        tickets.add_many(conn, [row | {"external_id": f"bulk-{n}"} for n in range(2100)])
    backup(filled, shelf / "b.db")
    restore(shelf / "b.db", empty_sqlite)
    assert contents(empty_sqlite)["tickets"] == contents(filled)["tickets"]


def test_a_migrated_home_without_rows_is_empty_enough(saved, database, filled_sqlite):
    restore(saved, database)
    assert contents(database) == contents(filled_sqlite)


def test_a_restored_database_goes_on_with_new_ids(saved, empty, make_services, filled_sqlite):
    restore(saved, empty)
    services = make_services(empty)
    filed = service.receive(services, a_message(external_id="after", requester="new.sample@example.org"), NOON)
    service.correct(services, filed.ticket.ref, "printer", "agent@example.org", NOON)
    before, after = contents(filled_sqlite), contents(empty)
    assert filed.ticket.ref == f"IT-{len(before['tickets']) + 1}"
    for name in ("tickets", "events", "decisions", "corrections", "outbox", "audit"):
        assert after[name][: len(before[name])] == before[name]
        assert after[name][len(before[name]) :]


def test_a_restored_ticket_is_known_when_its_message_comes_again(saved, empty_sqlite, make_services):
    restore(saved, empty_sqlite)
    again = service.receive(make_services(empty_sqlite), a_message(external_id="m-0"), NOON)
    assert (again.created, again.ticket.ref) == (False, "IT-1")


def test_a_restored_backup_can_be_backed_up_again(saved, empty, shelf):
    rows = restore(saved, empty)
    assert backup(empty, shelf / "again.db") == rows


def test_restoring_leaves_the_backup_as_it_was(saved, empty, shelf):
    before = (saved.read_bytes(), files(shelf))
    restore(saved, empty)
    assert (saved.read_bytes(), files(shelf)) == before


def test_one_backup_fills_many_homes(saved, tmp_path):
    for name in ("first", "second"):
        home = engine.open_engine(f"sqlite:///{tmp_path / name / 'triage.db'}")
        assert restore(saved, home) > 0
        home.dispose()


# --- refusals -------------------------------------------------------------------------


def put_user(conn):
    people.put_user(conn, "bob.sample@example.org", "admin", "scrypt:made-up", NOON)


def put_entry(conn):
    audit.append(conn, KEY, audit.Entry(NOON, "triage", "decide", "IT-1", {}))


@pytest.mark.parametrize("put", [put_user, put_entry], ids=["an account", "an audit row"])
def test_a_home_that_holds_anything_is_refused_and_left_as_it_was(saved, database, put):
    with database.begin() as conn:
        put(conn)
    before = contents(database)
    with pytest.raises(BackupError, match="not empty"):
        restore(saved, database)
    assert contents(database) == before


def test_a_second_restore_into_the_same_home_is_refused(saved, empty):
    restore(saved, empty)
    before = contents(empty)
    with pytest.raises(BackupError, match="not empty"):
        restore(saved, empty)
    assert contents(empty) == before


def flip(start, length):
    """Return a damage that flips every bit of a stretch; a negative start counts from the end."""

    def damage(content):
        at = start if start >= 0 else len(content) + start
        content[at : at + length] = bytes(byte ^ 0xFF for byte in content[at : at + length])
        return content

    return damage


def first_of_each_page(content):
    for page in range(1, len(content) // 4096):
        content = flip(page * 4096, 8)(content)
    return content


@pytest.mark.parametrize(
    "damage",
    [
        flip(0, 16),
        flip(16, 2),
        flip(40, 20),
        flip(100, 8),
        flip(100, 3000),
        flip(4096, 8),
        flip(4096, 4096),
        flip(-4096, 8),
        first_of_each_page,
        lambda content: content[: len(content) // 2],
        lambda content: content[:100],
        lambda content: content[:-1],
        lambda content: content[:4096] + content[8192:],
        lambda content: content[:4096] + bytes(4096) + content[8192:],
    ],
    ids=[
        "its first bytes",
        "its page size",
        "the rest of its header",
        "its list of tables",
        "its whole first page",
        "the head of a page",
        "a whole page",
        "the head of the last page",
        "the head of every page",
        "cut in half",
        "cut to its header",
        "cut by a byte",
        "a page missing",
        "a page of zeros",
    ],
)
def test_a_damaged_backup_is_refused_and_nothing_is_stored(saved, empty_sqlite, damage):
    saved.write_bytes(damage(bytearray(saved.read_bytes())))
    with pytest.raises(BackupError, match=r"good\.db"):
        restore(saved, empty_sqlite)
    assert inspect(empty_sqlite).get_table_names() == []


@pytest.mark.parametrize("seed", range(4))
def test_whichever_byte_is_damaged_the_home_is_filled_completely_or_not_at_all(saved, tmp_path, seed):
    """Damage inside a cell shows only when the cell is read: that too is a refusal in words, never a crash."""
    sound, rows = saved.read_bytes(), in_backup(saved, _count_rows)
    in_use = [place for place, byte in enumerate(sound) if byte]
    for place in random.Random(seed).sample(in_use, 25):
        saved.write_bytes(flip(place, 1)(bytearray(sound)))
        home = engine.open_engine(f"sqlite:///{tmp_path / f'home {place}' / 'triage.db'}")
        try:
            restored = restore(saved, home)
        except BackupError:
            assert not inspect(home).get_table_names() or count(home) == 0
        else:
            assert restored == count(home) == rows
        finally:
            home.dispose()


def _count_rows(conn):
    return sum(len(conn.execute(select(table)).all()) for table in Base.metadata.sorted_tables)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just a letter",
        b"SQLite format 3\x00",
        b"\x00" * 8192,
        bytes(range(256)) * 64,
        b"PK\x03\x04" + b"z" * 5000,
    ],
    ids=["nothing", "text", "only the first words", "zeros", "noise", "an archive"],
)
def test_a_file_that_is_no_database_is_refused(shelf, empty_sqlite, content):
    (shelf / "letter.db").write_bytes(content)
    with pytest.raises(BackupError, match=r"letter\.db"):
        restore(shelf / "letter.db", empty_sqlite)
    assert inspect(empty_sqlite).get_table_names() == []


def test_somebody_elses_database_is_no_backup(shelf, empty_sqlite):
    forge(shelf / "other.db", "CREATE TABLE tickets (number INTEGER)", "INSERT INTO tickets VALUES (7)")
    with pytest.raises(BackupError, match=r"other\.db is no backup"):
        restore(shelf / "other.db", empty_sqlite)


@pytest.mark.parametrize("name", ["missing.db", "."], ids=["a missing file", "a directory"])
def test_what_is_not_there_is_refused(shelf, empty_sqlite, name):
    with pytest.raises(BackupError, match="no such file"):
        restore(shelf / name, empty_sqlite)


def test_a_backup_of_another_version_is_refused_and_nothing_is_stored(saved, empty):
    forge(saved, "UPDATE alembic_version SET version_num = '9999_from_the_future'")
    with pytest.raises(BackupError, match="another version"):
        restore(saved, empty)
    assert inspect(empty).get_table_names() == []


def test_a_backup_whose_rows_do_not_fit_together_is_refused_as_a_whole(saved, empty):
    forge(saved, "PRAGMA foreign_keys=OFF", "UPDATE corrections SET ticket_id = 999")
    with pytest.raises((BackupError, SQLAlchemyError)):
        restore(saved, empty)
    assert not inspect(empty).get_table_names() or count(empty) == 0


def test_a_home_whose_restore_was_refused_takes_a_sound_backup(saved, shelf, empty_sqlite, filled_sqlite):
    (shelf / "broken.db").write_bytes(saved.read_bytes())
    forge(shelf / "broken.db", "PRAGMA foreign_keys=OFF", "UPDATE corrections SET ticket_id = 999")
    with pytest.raises((BackupError, SQLAlchemyError)):
        restore(shelf / "broken.db", empty_sqlite)
    restore(saved, empty_sqlite)
    assert contents(empty_sqlite) == contents(filled_sqlite)


def test_a_home_that_cannot_be_written_is_not_blamed_on_the_backup(saved, sqlite):
    hasty = engine.open_engine(sqlite.url)
    event.listen(hasty, "connect", lambda raw, _record: raw.execute("PRAGMA busy_timeout=20"))
    with closing(sqlite3.connect(sqlite.url.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises((BackupError, SQLAlchemyError)) as refused:
            restore(saved, hasty)
    hasty.dispose()
    assert "damaged" not in str(refused.value)


# --- verifying afterwards -------------------------------------------------------------


def verify(monkeypatch, database, secret=SECRET):
    """Find what `triage verify` finds in a database with a secret key."""
    monkeypatch.setenv("TRIAGE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TRIAGE_SECRET_KEY", secret)
    product = bootstrap.build(settings.load())
    found = find_faults(product)
    product.engine.dispose()
    return found


def test_a_restored_database_verifies_with_the_same_key(saved, empty, monkeypatch):
    restore(saved, empty)
    assert verify(monkeypatch, empty) == []


def test_a_backup_of_each_kind_verifies_with_the_same_key(filled, shelf, empty_sqlite, monkeypatch):
    backup(filled, shelf / "b.db")
    restore(shelf / "b.db", empty_sqlite)
    assert verify(monkeypatch, empty_sqlite) == []


def test_a_restored_database_does_not_verify_with_another_key(saved, empty_sqlite, monkeypatch):
    restore(saved, empty_sqlite)
    found = verify(monkeypatch, empty_sqlite, "another key that is long enough too")
    assert any(fault.startswith("audit row 1 ") for fault in found)
    assert any(fault.startswith("model v1: ") for fault in found)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE audit SET actor = 'somebody else' WHERE id = 2", "audit row 2 was altered"),
        ("DELETE FROM audit WHERE id = 2", "audit row 2 is missing"),
        ("UPDATE models SET blob = x'00'", "model v1: the model was altered"),
        ("UPDATE models SET digest = ''", "model v1: the model was altered"),
    ],
    ids=["an audit row", "an audit row less", "a model", "a model's digest"],
)
def test_what_was_changed_in_a_backup_is_named_after_the_restore(saved, empty_sqlite, monkeypatch, statement, named):
    forge(saved, statement)
    restore(saved, empty_sqlite)
    found = verify(monkeypatch, empty_sqlite)
    assert [fault for fault in found if fault.startswith(named)]


def test_a_whole_database_has_no_faults(filled):
    assert copying.faults(filled) == []


def test_a_row_that_points_nowhere_is_a_fault_of_the_database(filled_sqlite):
    change(filled_sqlite.url.database, "PRAGMA foreign_keys=OFF", "UPDATE corrections SET ticket_id = 999")
    (fault,) = copying.faults(filled_sqlite)
    assert fault.startswith("database: foreign key")
    assert "corrections" in fault
