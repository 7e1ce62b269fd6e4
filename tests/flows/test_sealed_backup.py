"""A backup with keys is readable by their holders alone, and of any backup not one bit may change."""

import getpass
import json
import os
import random
import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy import inspect, select

from builders import NOON, a_message
from triage import bootstrap, seal, service, settings
from triage.cli import cli
from triage.cli.admin import find_faults
from triage.store import engine
from triage.store.copying import BackupError, backup, restore
from triage.store.tables import Base

SECRET = "a key for tests that is long enough"  # the one that the fixtures' services sign with
MINE, OTHER = seal.new_key(), seal.new_key()
KEYS = seal.data_keys(MINE)
HEADER = b"age-encryption.org/v1\n"
WORDS = (b"zebra", b"blank labels", b"nurse.sample", b"CREATE TABLE", b"SQLite format", b"triage backup", b"sha256")
DATABASE_FILES = {"triage.db", "triage.db-wal", "triage.db-shm"}
UNREADABLE = "no key opens it, or it was altered"


@pytest.fixture(autouse=True)
def _own_logs():
    """Each command sends its logs to the stderr of its run, which is closed when the run ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def shelf(tmp_path):
    """A folder for backups with nothing else in it."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    return folder


@pytest.fixture
def workplace(tmp_path):
    """The folder where an open copy may lie for a moment."""
    folder = tmp_path / "workplace"
    folder.mkdir()
    return folder


def fill(services):
    for number in range(3):
        message = a_message(external_id=f"m-{number}")
        service.receive(services, message, NOON + timedelta(seconds=number))


@pytest.fixture
def filled(services, database):
    """A database of each kind with three tickets about a zebra printer."""
    fill(services)
    return database


@pytest.fixture
def filled_sqlite(sqlite_services, sqlite):
    """The same on SQLite alone."""
    fill(sqlite_services)
    return sqlite


@pytest.fixture
def sealed(filled_sqlite, shelf):
    """A sealed backup of SQLite."""
    backup(filled_sqlite, shelf / "b.age", KEYS)
    return shelf / "b.age"


@pytest.fixture
def empty(database_url):
    """An empty home of each kind."""
    found = engine.open_engine(database_url)
    yield found
    found.dispose()


@pytest.fixture
def empty_sqlite(tmp_path):
    """An empty home on SQLite."""
    found = engine.open_engine(f"sqlite:///{tmp_path / 'new home' / 'triage.db'}")
    yield found
    found.dispose()


def contents(database):
    with database.connect() as conn:
        return {
            table.name: conn.execute(select(table).order_by(*table.primary_key)).all()
            for table in Base.metadata.sorted_tables
        }


def nothing_is_stored(database):
    return inspect(database).get_table_names() == []


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def flipped(content, place, bit):
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


def faults(monkeypatch, database):
    """Find what `triage verify` finds in a database."""
    monkeypatch.setenv("TRIAGE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TRIAGE_SECRET_KEY", SECRET)
    product = bootstrap.build(settings.load())
    found = find_faults(product)
    product.engine.dispose()
    return found


# --- sealing --------------------------------------------------------------------------


def test_a_sealed_backup_begins_as_age_files_do_and_shows_no_word_of_a_ticket(filled, shelf):
    backup(filled, shelf / "b.age", KEYS)
    content = (shelf / "b.age").read_bytes()
    assert content.startswith(HEADER)
    assert [word for word in WORDS if word in content] == []


def test_these_words_do_stand_in_a_backup_that_is_not_sealed(filled, shelf):
    backup(filled, shelf / "b.db")
    content = (shelf / "b.db").read_bytes()
    assert [word for word in WORDS if word not in content] == []


def test_a_sealed_backup_is_one_file_that_only_its_owner_can_read(filled, shelf):
    backup(filled, shelf / "b.age", KEYS)
    assert files(shelf) == ["b.age"]
    assert stat.S_IMODE((shelf / "b.age").stat().st_mode) == 0o600


def test_sealing_the_same_database_twice_gives_two_different_files(filled_sqlite, shelf):
    for name in ("one.age", "two.age"):
        backup(filled_sqlite, shelf / name, KEYS)
    assert (shelf / "one.age").read_bytes()[-1000:] != (shelf / "two.age").read_bytes()[-1000:]


def test_a_sealed_backup_never_overwrites(filled_sqlite, shelf):
    (shelf / "b.age").write_text("something precious")
    with pytest.raises(BackupError, match="exists already"):
        backup(filled_sqlite, shelf / "b.age", KEYS)
    assert (shelf / "b.age").read_text() == "something precious"


# --- opening --------------------------------------------------------------------------


def test_a_sealed_backup_of_each_kind_fills_an_empty_home_and_verifies(filled, shelf, empty_sqlite, monkeypatch):
    rows = backup(filled, shelf / "b.age", KEYS)
    assert restore(shelf / "b.age", empty_sqlite, KEYS) == rows
    assert contents(empty_sqlite) == contents(filled)
    assert faults(monkeypatch, empty_sqlite) == []


def test_a_sealed_backup_of_sqlite_fills_an_empty_home_of_each_kind_and_verifies(
    sealed, filled_sqlite, empty, monkeypatch
):
    restore(sealed, empty, KEYS)
    assert contents(empty) == contents(filled_sqlite)
    assert faults(monkeypatch, empty) == []


@pytest.mark.parametrize("secrets", [f"{OTHER} {MINE}", f"{MINE} {OTHER}"], ids=["newer key", "older key"])
def test_one_of_several_keys_is_enough(sealed, empty_sqlite, secrets):
    assert restore(sealed, empty_sqlite, seal.data_keys(secrets)) > 0


def test_only_the_newest_key_seals(filled_sqlite, shelf, empty_sqlite):
    backup(filled_sqlite, shelf / "b.age", seal.data_keys(f"{OTHER} {MINE}"))
    with pytest.raises(BackupError, match=UNREADABLE):
        restore(shelf / "b.age", empty_sqlite, KEYS)
    restore(shelf / "b.age", empty_sqlite, seal.data_keys(OTHER))


def test_a_public_key_lets_its_holder_open_a_backup_too(filled_sqlite, shelf, tmp_path):
    public = str(seal.data_keys(OTHER).recipients[0])
    backup(filled_sqlite, shelf / "b.age", seal.with_recipients(KEYS, public))
    for name, secret in {"mine": MINE, "other": OTHER}.items():
        home = engine.open_engine(f"sqlite:///{tmp_path / name / 'triage.db'}")
        restore(shelf / "b.age", home, seal.data_keys(secret))
        assert contents(home) == contents(filled_sqlite)
        home.dispose()


# --- refusals -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (seal.NO_KEYS, "is encrypted: set TRIAGE_DATA_KEYS"),
        (seal.with_recipients(seal.NO_KEYS, str(KEYS.recipients[0])), "is encrypted: set TRIAGE_DATA_KEYS"),
        (seal.data_keys(OTHER), UNREADABLE),
    ],
    ids=["no key", "the public key alone", "another key"],
)
def test_without_the_right_key_a_backup_is_refused_in_words_and_nothing_is_stored(sealed, empty, keys, named):
    with pytest.raises(BackupError, match=rf"b\.age.*{named}"):
        restore(sealed, empty, keys)
    assert nothing_is_stored(empty)


def test_a_flipped_bit_anywhere_in_a_sealed_backup_is_refused_and_nothing_is_stored(sealed, workplace, empty_sqlite):
    sound, chance = sealed.read_bytes(), random.Random(7)
    end = len(sound)
    body = chance.sample(range(end), 50)
    for place in [*range(0, 260, 3), *body, *range(end - 20, end)]:  # its whole header, its middle, its end
        sealed.write_bytes(flipped(sound, place, chance.randrange(8)))
        with pytest.raises(BackupError, match=r"b\.age"):
            restore(sealed, empty_sqlite, KEYS, workplace)
        assert nothing_is_stored(empty_sqlite), place
    assert files(workplace) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:10],
        lambda content: content[: len(HEADER)],
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: content + content,
        lambda content: content[:-65_552] + content[-65_552 + 16 :],
    ],
    ids=["its first letters", "its first line", "cut by a byte", "cut in half", "a byte more", "twice", "a gap"],
)
def test_a_sealed_backup_that_is_cut_or_grown_is_refused_and_nothing_is_stored(sealed, empty_sqlite, damage):
    sealed.write_bytes(damage(sealed.read_bytes()))
    with pytest.raises(BackupError, match=r"b\.age"):
        restore(sealed, empty_sqlite, KEYS)
    assert nothing_is_stored(empty_sqlite)


@pytest.mark.parametrize("inside", [b"", b"a shopping list\n" * 500, b"SQLite format 3\0"])
def test_what_is_sealed_but_no_backup_is_refused_by_the_name_people_know(shelf, workplace, empty_sqlite, inside):
    (shelf / "letter.age").write_bytes(seal.seal(inside, KEYS))
    with pytest.raises(BackupError, match=r"shelf/letter\.age"):
        restore(shelf / "letter.age", empty_sqlite, KEYS, workplace)
    assert nothing_is_stored(empty_sqlite)
    assert files(workplace) == []


def test_a_sealed_backup_never_mixes_with_what_is_there(sealed, filled_sqlite, workplace):
    before = contents(filled_sqlite)
    with pytest.raises(BackupError, match="not empty"):
        restore(sealed, filled_sqlite, KEYS, workplace)
    assert contents(filled_sqlite) == before
    assert files(workplace) == []


# --- no open copy ---------------------------------------------------------------------


def test_no_open_copy_is_left_after_a_backup_and_a_restore(filled, shelf, workplace, empty_sqlite):
    backup(filled, shelf / "b.age", KEYS, workplace)
    restore(shelf / "b.age", empty_sqlite, KEYS, workplace)
    assert (files(workplace), files(shelf)) == ([], ["b.age"])


def damage(database):
    """Spoil the head of the last page of a SQLite database."""
    path = Path(database.url.database)
    database.dispose()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + bytes(byte ^ 0xFF for byte in content[-4096:-4088]) + content[-4088:])


def test_no_open_copy_is_left_after_a_backup_of_a_damaged_database(filled_sqlite, shelf, workplace):
    damage(filled_sqlite)
    with pytest.raises(BackupError):
        backup(filled_sqlite, shelf / "b.age", KEYS, workplace)
    assert (files(workplace), files(shelf)) == ([], [])


def test_a_refused_backup_of_a_damaged_database_names_what_people_know(filled_sqlite, shelf, workplace):
    damage(filled_sqlite)
    with pytest.raises(BackupError) as refusal:
        backup(filled_sqlite, shelf / "b.age", KEYS, workplace)
    assert str(workplace) not in str(refusal.value)


def test_no_open_copy_is_left_where_the_target_cannot_be_written(filled_sqlite, shelf, workplace):
    with pytest.raises(BackupError, match="nowhere"):
        backup(filled_sqlite, shelf / "nowhere" / "b.age", KEYS, workplace)
    assert (files(workplace), files(shelf)) == ([], [])


def test_the_open_copy_never_lies_beside_the_target(filled_sqlite, shelf, tmp_path):
    """Where the open copy may not be made at its workplace, there is no backup rather than an open one elsewhere."""
    (tmp_path / "a file").write_text("no folder")
    with pytest.raises(BackupError):
        backup(filled_sqlite, shelf / "b.age", KEYS, tmp_path / "a file")
    assert files(shelf) == []


def test_what_an_interrupted_backup_left_behind_does_not_stop_the_next_sealed_one(filled_sqlite, shelf, workplace):
    (shelf / "b.age.partial").write_bytes(b"half of a backup")
    backup(filled_sqlite, shelf / "b.age", KEYS, workplace)
    assert files(shelf) == ["b.age"]


# --- backups that are not sealed ------------------------------------------------------


def unused(content):
    """Return places of bytes that no row needs: zeros in the middle of long runs of them."""
    return [place for place in range(64, len(content) - 64, 16) if not any(content[place - 32 : place + 32])]


def test_every_single_flipped_bit_of_an_open_backup_is_refused_and_nothing_is_stored(filled, shelf, empty_sqlite):
    backup(filled, shelf / "b.db")
    sound, chance = (shelf / "b.db").read_bytes(), random.Random(11)
    last_line = range(sound.rindex(b"\n"), len(sound))
    idle = unused(sound)
    assert len(idle) > 500
    places = [*chance.sample(range(len(sound)), 100), *chance.sample(idle, 60), *chance.sample(last_line, 40)]
    for place in places:
        bit = chance.randrange(8)
        (shelf / "b.db").write_bytes(flipped(sound, place, bit))
        with pytest.raises(BackupError, match=r"b\.db"):
            restore(shelf / "b.db", empty_sqlite)
        assert nothing_is_stored(empty_sqlite), (place, bit)
    (shelf / "b.db").write_bytes(sound)
    assert restore(shelf / "b.db", empty_sqlite) > 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: content.rindex(b"\n")],
        lambda content: content[:-1],
        lambda content: content[:-64] + b"0" * 64,
        lambda content: content + b"\n",
        lambda content: content + content[content.rindex(b"\n") :],
    ],
    ids=["no last line", "a letter less", "another digest", "a line more", "the last line twice"],
)
def test_an_open_backup_must_end_in_its_own_digest(filled_sqlite, shelf, empty_sqlite, damage):
    backup(filled_sqlite, shelf / "b.db")
    (shelf / "b.db").write_bytes(damage((shelf / "b.db").read_bytes()))
    with pytest.raises(BackupError, match=r"b\.db is damaged"):
        restore(shelf / "b.db", empty_sqlite)
    assert nothing_is_stored(empty_sqlite)


# --- the commands ---------------------------------------------------------------------


def run(*args, env=None):
    """Run a command in this process; whatever happens, it never ends in a traceback."""
    result = CliRunner().invoke(cli, [str(arg) for arg in args], env=env)
    assert isinstance(result.exception, SystemExit | None), repr(result.exception)
    assert "Traceback" not in result.stdout + result.stderr
    return result


def ok(*args, **more):
    result = run(*args, **more)
    assert result.exit_code == 0, result.stderr
    return result


def refused(*args, **more):
    result = run(*args, **more)
    assert (result.exit_code, result.stdout) == (1, "")
    sentence = result.stderr[result.stderr.index("Error: ") :].strip()
    assert "\n" not in sentence
    return sentence


@pytest.fixture
def home(database, services, monkeypatch):
    """The home that commands work on, over each kind of database, with three tickets."""
    fill(services)
    mine = Path(os.environ["TRIAGE_HOME"])
    mine.mkdir()
    monkeypatch.setenv("TRIAGE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    monkeypatch.setenv("TRIAGE_SECRET_KEY", SECRET)
    return mine


@pytest.fixture
def elsewhere(tmp_path):
    """The environment of another, empty home on SQLite."""
    url = f"sqlite:///{tmp_path / 'other' / 'triage.db'}"
    (tmp_path / "other").mkdir()
    return {"TRIAGE_HOME": str(tmp_path / "other"), "TRIAGE_DATABASE_URL": url}


def backups_audited(database):
    with database.connect() as conn:
        rows = conn.exec_driver_sql("SELECT actor, subject, data FROM audit WHERE action = 'backup'").all()
    return [(actor, subject, json.loads(data) if isinstance(data, str) else data) for actor, subject, data in rows]


def test_an_open_backup_is_made_with_a_loud_warning_and_an_audit_row(home, database, shelf):
    result = ok("backup", shelf / "b.db")
    assert "WARNING: it is NOT ENCRYPTED" in result.stderr
    assert "triage key new" in result.stderr
    assert "encrypted" not in result.stdout
    assert backups_audited(database) == [(f"cli:{getpass.getuser()}", "database", {"encrypted": False})]


def test_a_sealed_backup_is_made_without_a_warning_and_with_an_audit_row(home, database, shelf):
    result = ok("backup", shelf / "b.age", env={"TRIAGE_DATA_KEYS": MINE})
    assert "WARNING" not in result.stderr
    assert result.stdout.rstrip().endswith("rows, encrypted.")
    assert (shelf / "b.age").read_bytes().startswith(HEADER)
    assert backups_audited(database) == [(f"cli:{getpass.getuser()}", "database", {"encrypted": True})]


def test_a_sealed_backup_is_restored_and_verified_by_command(home, shelf, elsewhere):
    ok("backup", shelf / "b.age", env={"TRIAGE_DATA_KEYS": MINE})
    assert "Restored" in ok("restore", shelf / "b.age", env=elsewhere | {"TRIAGE_DATA_KEYS": f"{OTHER},{MINE}"}).stdout
    assert "whole" in ok("verify", env=elsewhere).stdout
    assert files(home) == []
    assert set(files(Path(elsewhere["TRIAGE_HOME"]))) <= DATABASE_FILES


@pytest.mark.parametrize(
    ("keys", "named"), [("", "is encrypted: set TRIAGE_DATA_KEYS"), (OTHER, UNREADABLE)], ids=["no key", "another key"]
)
def test_a_restore_without_the_right_key_is_one_sentence_and_leaves_nothing(home, shelf, elsewhere, keys, named):
    ok("backup", shelf / "b.age", env={"TRIAGE_DATA_KEYS": MINE})
    sentence = refused("restore", shelf / "b.age", env=elsewhere | {"TRIAGE_DATA_KEYS": keys})
    assert named in sentence
    assert "b.age" in sentence
    assert set(files(Path(elsewhere["TRIAGE_HOME"]))) <= DATABASE_FILES


@pytest.mark.parametrize("mine", [MINE, ""], ids=["with a key of one's own", "with the public key alone"])
def test_a_backup_for_recipients_is_opened_by_their_key(home, shelf, elsewhere, mine):
    public = str(seal.data_keys(OTHER).recipients[0])
    ok("backup", shelf / "b.age", env={"TRIAGE_DATA_KEYS": mine, "TRIAGE_BACKUP_RECIPIENTS": public})
    ok("restore", shelf / "b.age", env=elsewhere | {"TRIAGE_DATA_KEYS": OTHER})
    assert "whole" in ok("verify", env=elsewhere).stdout


def test_a_failed_backup_leaves_no_open_copy_in_the_home(home, shelf):
    assert "nowhere" in refused("backup", shelf / "nowhere" / "b.age", env={"TRIAGE_DATA_KEYS": MINE})
    (shelf / "b.age").write_text("something precious")
    assert "exists already" in refused("backup", shelf / "b.age", env={"TRIAGE_DATA_KEYS": MINE})
    assert (files(home), files(shelf)) == ([], ["b.age"])


@pytest.mark.parametrize("step", ["backup", "restore"])
def test_sealing_needs_no_data_directory_that_nothing_else_needed(home, shelf, elsewhere, step):
    ok("backup", shelf / "first.age", env={"TRIAGE_DATA_KEYS": MINE})
    env = {"TRIAGE_DATA_KEYS": MINE, "TRIAGE_HOME": str(home.with_name("not made yet"))}
    if step == "backup":
        ok("backup", shelf / "second.age", env=env)
    else:
        ok("restore", shelf / "first.age", env=elsewhere | env)
