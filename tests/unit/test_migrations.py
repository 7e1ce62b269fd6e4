"""Promises of the migrations: up, down and up again on both databases, the same shape as the tables, nothing lost."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError

from builders import NOON, a_decision, a_message, masked
from triage.store import audit, decisions, engine, outbox, people, tickets
from triage.store.tables import Base

KEY = b"a key for tests that is long enough"
NEWER = "9999_from_the_future"


@pytest.fixture
def empty(database_url):
    """A database of each kind without any table."""
    found = engine.open_engine(database_url)
    yield found
    found.dispose()


def tables(database):
    return set(inspect(database).get_table_names())


def leftovers(database):
    """Return everything in the database that is not alembic's own table."""
    if database.dialect.name == "sqlite":
        found = "SELECT name FROM sqlite_master WHERE tbl_name != 'alembic_version'"
    else:
        found = """SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
                   AND relname NOT IN ('alembic_version', 'alembic_version_pkc')
                   UNION SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
                   AND typname NOT IN ('alembic_version', '_alembic_version')"""
    with database.connect() as conn:
        return list(conn.execute(text(found)).scalars())


def ask(database, question, *arguments):
    with database.connect() as conn:
        return question(conn, *arguments)


def pretend_version(database, version):
    with database.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def fill(database):
    """Store something of most kinds."""
    with database.begin() as conn:
        filed = tickets.add(conn, [tickets.Arrival(a_message(), masked("zebra printer jams"), "en", NOON)])[0]
        decisions.record_decision(conn, filed.id, a_decision(), None, NOON)
        outbox.enqueue(conn, [outbox.Work("IT-1:card", "notice", "channel:it-workplace", {"n": 1})], NOON)
        people.put_user(conn, "alice.sample@example.org", "agent", "scrypt:made-up", NOON)
        audit.append(conn, KEY, audit.Entry(NOON, "triage", "decide", "IT-1", {"route": "queue"}))


def contents(database):
    with database.connect() as conn:
        return {table.name: conn.execute(select(table)).all() for table in Base.metadata.sorted_tables}


# --- up and down ----------------------------------------------------------------------


def test_an_empty_database_gets_every_table(empty):
    engine.migrate(empty)
    assert tables(empty) == {table.name for table in Base.metadata.sorted_tables} | {"alembic_version"}


def test_the_way_down_leaves_nothing_but_alembics_own_table(database):
    engine.downgrade(database, "base")
    assert leftovers(database) == []
    assert ask(database, engine.schema_version) is None


def test_the_way_down_works_with_rows_in_the_tables(database):
    fill(database)
    engine.downgrade(database, "base")
    assert leftovers(database) == []


def test_up_again_after_the_way_down_gives_a_working_database(database):
    engine.downgrade(database, "base")
    engine.migrate(database)
    fill(database)
    assert ask(database, engine.is_current)
    assert ask(database, audit.faults, KEY) == []


def test_each_step_can_be_taken_down_and_up_again_by_itself(database):
    with database.connect() as conn:
        script = ScriptDirectory.from_config(engine._config(conn))
    for step in list(script.walk_revisions()):
        engine.downgrade(database, step.down_revision or "base")
        engine.migrate(database, step.revision)
        assert ask(database, engine.schema_version) == step.revision
        engine.downgrade(database, step.down_revision or "base")
    assert leftovers(database) == []


def test_going_up_once_more_keeps_every_row(database):
    fill(database)
    before = contents(database)
    engine.migrate(database)
    assert contents(database) == before


def test_there_is_one_way_up():
    script = ScriptDirectory(str(engine.MIGRATIONS))
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


# --- the same shape -------------------------------------------------------------------


def test_the_migrated_database_has_the_shape_of_the_tables(database):
    with database.connect() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_and_keys_have_the_names_the_tables_give_them(database):
    """Alembic compares neither primary keys nor names of foreign keys: a later migration could not drop them."""
    found = inspect(database)
    for table in Base.metadata.sorted_tables:
        assert found.get_pk_constraint(table.name)["name"] == table.primary_key.name
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
        assert {key["name"] for key in found.get_foreign_keys(table.name)} == {
            key.name for key in table.foreign_key_constraints
        }


# --- versions -------------------------------------------------------------------------


def test_an_empty_database_has_no_version_and_is_not_current(empty):
    assert ask(empty, engine.schema_version) is None
    assert ask(empty, engine.is_current) is False


def test_a_migrated_database_is_current(database):
    assert ask(database, engine.is_current) is True


@pytest.mark.parametrize("version", [NEWER, "0000", ""], ids=["newer", "older", "nothing"])
def test_a_database_of_another_version_is_not_current(database, version):
    pretend_version(database, version)
    assert ask(database, engine.is_current) is False


def test_asking_for_the_version_changes_nothing(empty):
    ask(empty, engine.schema_version)
    ask(empty, engine.is_current)
    assert tables(empty) == set()


def test_a_database_of_a_newer_version_is_refused_in_clear_words(database):
    pretend_version(database, NEWER)
    with pytest.raises(engine.SchemaError, match=rf"has schema {NEWER}, which this version does not know: upgrade"):
        engine.migrate(database)


def test_a_refused_database_is_left_as_it_was(database):
    fill(database)
    pretend_version(database, NEWER)
    before = contents(database)
    with pytest.raises(engine.SchemaError):
        engine.migrate(database)
    assert contents(database) == before
    assert ask(database, engine.schema_version) == NEWER


def test_somebody_elses_database_is_refused_and_left_as_it_was(empty):
    with empty.begin() as conn:
        conn.execute(text("CREATE TABLE tickets (number INTEGER)"))
        conn.execute(text("INSERT INTO tickets VALUES (7)"))
    with pytest.raises(engine.SchemaError):
        engine.migrate(empty)
    assert tables(empty) == {"tickets"}
    assert ask(empty, lambda conn: conn.execute(text("SELECT number FROM tickets")).scalar()) == 7


def test_a_step_that_breaks_half_way_leaves_the_database_empty(empty):
    with empty.begin() as conn:  # in the way of the migration's last table
        conn.execute(text("CREATE VIEW events AS SELECT 7 AS number"))
    with pytest.raises(DBAPIError, match="events"):
        engine.migrate(empty)
    assert tables(empty) == set()
    assert ask(empty, engine.schema_version) is None


# --- how SQLite is opened -------------------------------------------------------------


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", engine.BUSY_TIMEOUT_MS)],
)
def test_every_sqlite_connection_is_safe_against_power_cuts_and_neighbours(sqlite, pragma, value):
    with sqlite.connect() as one, sqlite.connect() as another:
        assert [conn.exec_driver_sql(f"PRAGMA {pragma}").scalar() for conn in (one, another)] == [value, value]


def test_the_directory_of_a_new_database_is_made(tmp_path):
    found = engine.open_engine(f"sqlite:///{tmp_path / 'new' / 'deep' / 'triage.db'}")
    engine.migrate(found)
    assert ask(found, engine.is_current)
    found.dispose()


def test_a_database_in_memory_is_one_database_for_all_its_connections():
    found = engine.open_engine("sqlite://")
    engine.migrate(found)
    assert ask(found, engine.is_current)
    found.dispose()
