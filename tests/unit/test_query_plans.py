"""Promises of the lists' queries: they walk an index in its order, sort nothing, count nothing and skip nothing."""

import random
from datetime import timedelta

import pytest
from sqlalchemy import event

from builders import NOON, POLICY
from triage.store import tickets
from triage.store.engine import migrate, open_engine
from triage.store.tables import TicketRow
from triage.ticket import Status
from web.api import FILTERS

ROWS = 3000
# What people may filter by and an index starts with. The others walk the newest tickets by design.
INDEXED = sorted(FILTERS.keys() & {index.columns[0].name for index in TicketRow.__table__.indexes})
VALUES = {"status": "open", "category": "printer", "requester": "person7@example.org"}


def a_row(chance, number):
    is_open = chance.random() < 0.02
    received = NOON - timedelta(minutes=chance.randrange(60 * 24 * 365))
    return {
        "channel": "seed",
        "external_id": f"s-{number}",
        "requester": f"person{chance.randrange(300)}@example.org",
        "unit": chance.choice(["ICU", "4 West", "Lab"]),
        "device": "",
        "language": "en",
        "text": "zebra printer on 4W prints blank labels",
        "spans": [],
        "impact": {},
        "withheld": False,
        "truncated": False,
        "received_at": received,
        "status": (Status.OPEN if is_open else Status.CLOSED).value,
        "is_open": is_open,
        "restricted": chance.random() < 0.1,
        "route": "queue",
        "category": chance.choice(list(POLICY.categories)),
        "confidence": 0.9,
        "priority": chance.choice(["P1", "P2", "P3", "P4"]),
        "team": chance.choice(list(POLICY.teams)),
        "respond_by": received + timedelta(hours=4),
        "resolve_by": received + timedelta(hours=24),
        "escalated": 0,
        "version": 2,
    }


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """SQLite with many tickets, two in a hundred open, and statistics for the planner. Tests only read it."""
    chance = random.Random(3)
    found = open_engine(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'seeded.db'}")
    migrate(found)
    with found.begin() as conn:
        tickets.add_many(conn, [a_row(chance, number) for number in range(ROWS)])
    with found.begin() as conn:
        conn.exec_driver_sql("ANALYZE")
    yield found
    found.dispose()


@pytest.fixture
def statements(seeded):
    """Everything that is sent to the database, as (SQL, parameters)."""
    sent = []

    def keep(_conn, _cursor, sql, parameters, _context, _many):
        sent.append((sql, parameters))

    event.listen(seeded, "before_cursor_execute", keep)
    yield sent
    event.remove(seeded, "before_cursor_execute", keep)


def selects(database, statements, query):
    """Run a query and return the SELECTs it sent."""
    with database.connect() as conn:
        query(conn)
    found = [sent for sent in statements if sent[0].lstrip().upper().startswith("SELECT")]
    assert found, "the query asked nothing"
    return found


def plan(database, statements, query):
    """Return the steps SQLite takes for everything a query sent."""
    steps = []
    for sql, parameters in selects(database, statements, query):
        with database.connect() as conn:
            steps += [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    return steps


def effort(database, query):
    """Return how many tens of steps SQLite's machine took: it tells a walk of some rows from one of all rows."""
    ticks = []
    with database.connect() as conn:
        raw = conn.connection.driver_connection
        raw.set_progress_handler(lambda: ticks.append(1), 10)
        query(conn)
        raw.set_progress_handler(None, 0)
    return len(ticks)


def every_ticket(conn):
    return conn.exec_driver_sql("SELECT * FROM tickets WHERE device IS NOT NULL").all()


def a_page(cursor=None, *, see_restricted=True, **filters):
    def query(conn):
        return tickets.page(conn, filters=filters, see_restricted=see_restricted, cursor=cursor)

    return query


def a_worklist(*, see_restricted):
    def query(conn):
        return tickets.worklist(conn, see_restricted=see_restricted)

    return query


both_views = pytest.mark.parametrize("see", [True, False], ids=["security desk", "everybody else"])
both_places = pytest.mark.parametrize("cursor", [None, ROWS // 2], ids=["first page", "a later page"])


def unindexed(steps):
    return [step for step in steps if step.startswith("SCAN") and "INDEX" not in step]


def sorts(steps):
    return [step for step in steps if "USE TEMP B-TREE" in step]


@both_views
def test_the_worklist_walks_an_index_and_sorts_nothing(seeded, statements, see):
    steps = plan(seeded, statements, a_worklist(see_restricted=see))
    assert (unindexed(steps), sorts(steps)) == ([], [])


@both_views
@both_places
@pytest.mark.parametrize("name", INDEXED)
def test_a_page_by_an_indexed_filter_walks_an_index_and_sorts_nothing(seeded, statements, name, cursor, see):
    steps = plan(seeded, statements, a_page(cursor, see_restricted=see, **{name: VALUES[name]}))
    assert (unindexed(steps), sorts(steps)) == ([], [])


@both_views
@both_places
def test_a_page_of_everything_sorts_nothing_and_stops_when_it_is_full(seeded, statements, cursor, see):
    """SQLite calls walking the primary key backwards a SCAN too: what counts is that it stops early."""
    query = a_page(cursor, see_restricted=see)
    assert sorts(plan(seeded, statements, query)) == []
    assert effort(seeded, query) * 50 < effort(seeded, every_ticket)


@both_views
@pytest.mark.parametrize("name", INDEXED)
def test_a_page_by_an_indexed_filter_that_matches_nothing_does_not_read_every_ticket(seeded, name, see):
    query = a_page(see_restricted=see, **{name: "nothing has this value"})
    assert effort(seeded, query) * 50 < effort(seeded, every_ticket)


@both_views
@both_places
@pytest.mark.parametrize("name", [None, *FILTERS], ids=str)
def test_a_page_counts_nothing_and_skips_nothing(seeded, statements, name, cursor, see):
    filters = {name: VALUES.get(name, "x")} if name else {}
    for sql, parameters in selects(seeded, statements, a_page(cursor, see_restricted=see, **filters)):
        assert "COUNT(" not in sql.upper()
        assert offset(sql, parameters) == 0


@both_views
def test_the_worklist_counts_nothing_and_skips_nothing(seeded, statements, see):
    for sql, parameters in selects(seeded, statements, a_worklist(see_restricted=see)):
        assert "COUNT(" not in sql.upper()
        assert offset(sql, parameters) == 0


def offset(sql, parameters):
    """Return how many rows a statement skips; SQLAlchemy writes it last."""
    _, word, value = sql.upper().rpartition("OFFSET")
    if not word:
        return 0
    return parameters[-1] if value.strip() == "?" else int(value)


def test_the_filters_with_an_index_are_the_ones_these_tests_have_values_for():
    assert set(INDEXED) == set(VALUES)
