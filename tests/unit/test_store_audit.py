"""Promises of the audit chain: whatever is changed, taken out, put in, moved or cut off afterwards is named."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta, timezone

import pytest
from sqlalchemy import delete, insert, select, update

from builders import NOON
from triage.commit import Transactions
from triage.store import audit
from triage.store.tables import AuditHeadRow, AuditRow

KEY = b"a key for tests that is long enough"
ALTERED = "audit row {} was altered or inserted, or the row before it was"


def an_entry(number=1, **changes):
    defaults = {"at": NOON + timedelta(minutes=number), "actor": "triage", "action": "decide"}
    return audit.Entry(**(defaults | {"subject": f"IT-{number}", "data": {"route": "queue"}} | changes))


def append(database, *entries, key=KEY):
    with database.begin() as conn:
        for entry in entries:
            audit.append(conn, key, entry)


def faults(database, key=KEY):
    with database.connect() as conn:
        return audit.faults(conn, key)


def execute(database, *statements):
    with database.begin() as conn:
        for statement in statements:
            conn.execute(statement)


def rows(database):
    with database.connect() as conn:
        return [dict(row._mapping) for row in conn.execute(select(AuditRow.__table__).order_by(AuditRow.id))]


def head(database):
    with database.connect() as conn:
        return dict(conn.execute(select(AuditHeadRow.__table__)).one()._mapping)


@pytest.fixture
def chain(database):
    """A database of each kind with five links."""
    append(database, *(an_entry(number) for number in range(1, 6)))
    return database


@pytest.fixture
def sqlite_chain(sqlite):
    """SQLite alone with five links."""
    append(sqlite, *(an_entry(number) for number in range(1, 6)))
    return sqlite


# --- a whole chain --------------------------------------------------------------------


def test_an_empty_chain_is_whole(database):
    assert faults(database) == []


def test_a_chain_written_in_one_and_in_many_transactions_is_whole(chain):
    append(chain, an_entry(6))
    append(chain, an_entry(7), an_entry(8))
    assert faults(chain) == []
    assert [row["id"] for row in rows(chain)] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_chain_longer_than_one_portion_of_reading_is_whole(sqlite):
    append(sqlite, *(an_entry(number) for number in range(1, 1102)))
    assert faults(sqlite) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {}},
        {"data": {"text": "l\u2019\u00e9cran \U0001f5a5 \u202e", "nested": {"list": [1, 2.5, None, True]}}},
        {"data": {"z": 1, "a": 2}},
        {"data": {"pair": ("a", "b")}},
        {"data": {"confidence": 0.1 + 0.2}},
        {"actor": "", "action": "", "subject": ""},
        {"actor": 'quote " and \\ and \n line'},
        {"at": NOON.replace(microsecond=999_999)},
        {"at": NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))},
    ],
    ids=[
        "no data",
        "any language",
        "unsorted",
        "a tuple",
        "a crooked number",
        "empty fields",
        "special characters",
        "microseconds",
        "another zone",
    ],
)
def test_what_is_stored_and_read_back_still_fits_its_hash(database, changes):
    append(database, an_entry(**changes), an_entry(2))
    assert faults(database) == []


def test_a_transaction_that_fails_leaves_no_gap(chain):
    def work(conn):
        audit.append(conn, KEY, an_entry(6))
        raise RuntimeError("the ticket was refused")

    with pytest.raises(RuntimeError, match="the ticket was refused"):
        Transactions(chain).write(work)
    append(chain, an_entry(6))
    assert faults(chain) == []
    assert len(rows(chain)) == 6


@pytest.mark.parametrize("started", [True, False], ids=["a chain under way", "the very first links"])
def test_links_written_at_the_same_moment_line_up(database, started):
    if started:
        append(database, an_entry(0))
    transactions, together = Transactions(database), threading.Barrier(8)

    def write(number):
        together.wait()
        transactions.write(lambda conn: audit.append(conn, KEY, an_entry(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(1, 9)))
    assert faults(database) == []
    assert len(rows(database)) == 8 + started


# --- altered rows ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "somebody else"},
        {"action": "promote_model"},
        {"subject": "IT-99"},
        {"data": {"route": "auto_resolve"}},
        {"data": {}},
        {"data": {"route": "queue", "more": None}},
        {"at": NOON},
        {"at": NOON + timedelta(minutes=3, microseconds=1)},
    ],
    ids=["actor", "action", "subject", "data", "data emptied", "data added", "time", "time by a microsecond"],
)
def test_an_altered_row_is_named(chain, change):
    execute(chain, update(AuditRow).where(AuditRow.id == 3).values(**change))
    assert faults(chain) == [ALTERED.format(3)]


def test_an_altered_last_row_is_named(sqlite_chain):
    execute(sqlite_chain, update(AuditRow).where(AuditRow.id == 5).values(actor="somebody else"))
    assert faults(sqlite_chain) == [ALTERED.format(5)]


def test_a_row_altered_together_with_its_hash_by_someone_without_the_key_is_named(sqlite_chain):
    execute(sqlite_chain, update(AuditRow).where(AuditRow.id == 3).values(actor="somebody else", hash="f" * 64))
    assert faults(sqlite_chain) == [ALTERED.format(3), ALTERED.format(4)]


def test_every_altered_row_is_named(sqlite_chain):
    execute(sqlite_chain, update(AuditRow).where(AuditRow.id.in_([2, 5])).values(actor="somebody else"))
    assert faults(sqlite_chain) == [ALTERED.format(2), ALTERED.format(5)]


def test_content_moved_from_one_field_to_the_next_is_named(sqlite_chain):
    execute(sqlite_chain, update(AuditRow).where(AuditRow.id == 3).values(actor="triagedecide", action=""))
    assert faults(sqlite_chain) == [ALTERED.format(3)]


# --- deleted, inserted, reordered -----------------------------------------------------


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ([3], ["audit row 3 is missing", ALTERED.format(4)]),
        ([2, 3], ["audit row 2 is missing", "audit row 3 is missing", ALTERED.format(4)]),
        ([1], ["audit row 1 is missing", ALTERED.format(2)]),
    ],
    ids=["one", "two", "the first"],
)
def test_deleted_rows_are_named_each(chain, gone, named):
    execute(chain, delete(AuditRow).where(AuditRow.id.in_(gone)))
    assert faults(chain) == named


def test_a_row_deleted_with_the_rest_moved_up_is_found(sqlite_chain):
    execute(
        sqlite_chain,
        delete(AuditRow).where(AuditRow.id == 3),
        update(AuditRow).where(AuditRow.id == 4).values(id=3),
        update(AuditRow).where(AuditRow.id == 5).values(id=4),
    )
    found = faults(sqlite_chain)
    assert ALTERED.format(3) in found
    assert "the audit chain should have 5 rows and has 4" in found


@pytest.mark.parametrize("forged", ["f" * 64, "", "the last one's"], ids=["made up", "none", "copied"])
def test_a_row_added_at_the_end_without_the_key_is_named(sqlite_chain, forged):
    last = rows(sqlite_chain)[-1]
    link = last["hash"] if forged == "the last one's" else forged
    execute(sqlite_chain, insert(AuditRow).values(**last | {"id": 6, "actor": "a ghost", "hash": link}))
    assert faults(sqlite_chain) == [ALTERED.format(6), "the audit chain should have 5 rows and has 6"]


def test_a_row_added_far_behind_the_end_is_named_and_no_row_between_is_called_missing(sqlite_chain):
    last = rows(sqlite_chain)[-1]
    execute(sqlite_chain, insert(AuditRow).values(**last | {"id": 10**12}))
    assert faults(sqlite_chain) == [ALTERED.format(10**12), "the audit chain should have 5 rows and has 6"]


def test_a_row_put_in_between_is_named(sqlite_chain):
    copy = rows(sqlite_chain)[2]
    execute(
        sqlite_chain,
        update(AuditRow).where(AuditRow.id == 5).values(id=6),
        update(AuditRow).where(AuditRow.id == 4).values(id=5),
        insert(AuditRow).values(**copy | {"id": 4}),
    )
    found = faults(sqlite_chain)
    assert ALTERED.format(4) in found
    assert "the audit chain should have 5 rows and has 6" in found


@pytest.mark.parametrize("number", [0, -7])
def test_a_row_put_before_the_first_is_named(sqlite_chain, number):
    first = rows(sqlite_chain)[0]
    execute(sqlite_chain, insert(AuditRow).values(**first | {"id": number, "hash": audit.GENESIS}))
    assert ALTERED.format(number) in faults(sqlite_chain)


def test_two_rows_that_changed_places_are_named(sqlite_chain):
    execute(
        sqlite_chain,
        update(AuditRow).where(AuditRow.id == 2).values(id=99),
        update(AuditRow).where(AuditRow.id == 4).values(id=2),
        update(AuditRow).where(AuditRow.id == 99).values(id=4),
    )
    found = faults(sqlite_chain)
    assert ALTERED.format(2) in found
    assert ALTERED.format(4) in found


def test_two_rows_that_changed_their_content_are_named(sqlite_chain):
    second, third = rows(sqlite_chain)[1:3]
    execute(
        sqlite_chain,
        update(AuditRow).where(AuditRow.id == 2).values(**third | {"id": 2}),
        update(AuditRow).where(AuditRow.id == 3).values(**second | {"id": 3}),
    )
    found = faults(sqlite_chain)
    assert ALTERED.format(2) in found
    assert ALTERED.format(3) in found


# --- the tail and the head ------------------------------------------------------------


@pytest.mark.parametrize("left", [4, 2, 0])
def test_a_cut_off_tail_is_named(chain, left):
    execute(chain, delete(AuditRow).where(AuditRow.id > left))
    assert faults(chain) == [f"the audit chain should have 5 rows and has {left}"]


@pytest.mark.parametrize(
    "change",
    [{"length": 4}, {"hash": "f" * 64}, {"seal": "f" * 64}, {"seal": ""}],
    ids=["length", "hash", "seal", "no seal"],
)
def test_an_altered_head_is_named(sqlite_chain, change):
    execute(sqlite_chain, update(AuditHeadRow).values(**change))
    assert faults(sqlite_chain) == ["the head of the audit chain was altered"]


def test_a_head_made_to_fit_a_cut_off_tail_is_named(sqlite_chain):
    last = rows(sqlite_chain)[3]
    execute(
        sqlite_chain,
        delete(AuditRow).where(AuditRow.id == 5),
        update(AuditHeadRow).values(length=4, hash=last["hash"]),
    )
    assert faults(sqlite_chain) == ["the head of the audit chain was altered"]


def test_a_missing_head_is_named(chain):
    execute(chain, delete(AuditHeadRow))
    assert faults(chain) == ["the head of the audit chain is missing"]


def test_a_head_sealed_for_another_chain_of_the_same_length_is_found(sqlite_chain):
    """A forked copy under the same key has a rightly sealed head: it belongs to other rows all the same."""
    ours = head(sqlite_chain)
    execute(sqlite_chain, delete(AuditRow), delete(AuditHeadRow))
    append(sqlite_chain, *(an_entry(number, actor="a forked copy") for number in range(1, 6)))
    assert faults(sqlite_chain) == []
    execute(sqlite_chain, update(AuditHeadRow).values(**ours))
    assert faults(sqlite_chain) != []


# --- the key --------------------------------------------------------------------------


def test_another_key_finds_every_row_and_the_head(chain):
    found = faults(chain, b"another key that is long enough too")
    assert found == [*(ALTERED.format(number) for number in range(1, 6)), "the head of the audit chain was altered"]


def test_a_row_appended_with_another_key_is_named(sqlite_chain):
    append(sqlite_chain, an_entry(6), key=b"another key that is long enough too")
    assert ALTERED.format(6) in faults(sqlite_chain)


def test_looking_for_faults_changes_nothing(sqlite_chain):
    execute(sqlite_chain, update(AuditRow).where(AuditRow.id == 3).values(actor="somebody else"))
    before = (rows(sqlite_chain), head(sqlite_chain))
    faults(sqlite_chain)
    assert (rows(sqlite_chain), head(sqlite_chain)) == before
