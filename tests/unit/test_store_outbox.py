"""Promises of the outbox: each piece of work is done once, in its lane's order, and comes back when a worker dies."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from builders import NOON
from triage.commit import Transactions
from triage.store import outbox
from triage.store.outbox import LEASE, MAX_ATTEMPTS, PATIENCE, OutboxRow

SECOND = timedelta(seconds=1)


def some_work(key="IT-1:card", lane="channel:it-workplace", **changes):
    return outbox.Work(**({"key": key, "topic": "notice", "lane": lane, "payload": {"text": "P3 IT-1"}} | changes))


def enqueue(database, *work, now=NOON):
    with database.begin() as conn:
        outbox.enqueue(conn, work, now)


def claim(database, worker="w1", now=NOON, **more):
    with database.begin() as conn:
        return outbox.claim(conn, worker, now, **more)


def call(database, change, *arguments, **more):
    with database.begin() as conn:
        return change(conn, *arguments, **more)


def row_of(database, key="IT-1:card"):
    with database.connect() as conn:
        return conn.execute(select(OutboxRow.__table__).where(OutboxRow.key == key)).one()


def counts(database):
    with database.connect() as conn:
        return outbox.counts(conn)


def fail_times(database, times):
    """Let the one row fail so often, each time when it is due again; returns the time of the last failure."""
    now = NOON
    for _ in range(times):
        now = max(now, row_of(database).due)
        call(database, outbox.retry, claim(database, now=now), now, "no route to host")
    return now


# --- enqueueing -----------------------------------------------------------------------


def test_a_claim_carries_what_was_enqueued(database):
    payload = {"text": "L\u2019imprimante \u00e9met\nun \u201cbip\u201d", "n": [1, None, {"deep": True}]}
    enqueue(database, some_work(payload=payload))
    taken = claim(database, "w7")
    assert (taken.key, taken.topic, taken.payload) == ("IT-1:card", "notice", payload)
    assert (taken.worker, taken.attempts, taken.lease_until) == ("w7", 1, NOON + LEASE)


def test_nothing_enqueued_is_nothing_to_claim(sqlite):
    enqueue(sqlite)
    assert claim(sqlite) is None


@pytest.mark.parametrize("together", [True, False], ids=["in one call", "in two calls"])
def test_a_key_enqueued_twice_is_one_piece_of_work(database, together):
    first, second = some_work(payload={"n": 1}), some_work(payload={"n": 2})
    if together:
        enqueue(database, first, second)
    else:
        enqueue(database, first)
        enqueue(database, second)
    assert counts(database) == {"pending": 1, "dead": 0}
    assert row_of(database).payload == {"n": 1}


def test_a_key_that_was_done_is_not_done_again(sqlite):
    enqueue(sqlite, some_work())
    call(sqlite, outbox.finish, claim(sqlite), NOON)
    enqueue(sqlite, some_work())
    assert claim(sqlite, now=NOON + LEASE * 2) is None


def test_work_of_a_transaction_that_fails_is_never_seen(database):
    def work(conn):
        outbox.enqueue(conn, [some_work()], NOON)
        raise RuntimeError("the ticket was refused")

    with pytest.raises(RuntimeError, match="the ticket was refused"):
        Transactions(database).write(work)
    assert counts(database) == {"pending": 0, "dead": 0}


# --- claiming -------------------------------------------------------------------------


def test_work_is_claimed_in_the_order_it_came_across_lanes(database):
    for number, lane in enumerate(["c", "a", "b"]):
        enqueue(database, some_work(key=lane, lane=lane), now=NOON + SECOND * number)
    later = NOON + SECOND * 10
    assert [claim(database, now=later).key for _ in range(3)] == ["c", "a", "b"]


def test_work_is_not_claimed_before_it_is_due(sqlite):
    enqueue(sqlite, some_work(), now=NOON)
    assert claim(sqlite, now=NOON - SECOND) is None


def test_work_under_way_is_not_claimed_by_another_worker(sqlite):
    enqueue(sqlite, some_work())
    claim(sqlite, "w1")
    assert claim(sqlite, "w2", now=NOON + SECOND) is None


@pytest.mark.parametrize(
    ("after", "taken"),
    [(LEASE - SECOND, False), (LEASE, False), (LEASE + SECOND, True)],
    ids=["before its end", "at its end", "past its end"],
)
def test_a_lease_keeps_others_away_until_it_ran_out(database, after, taken):
    enqueue(database, some_work())
    claim(database, "dead")
    assert (claim(database, "w2", now=NOON + after) is not None) is taken


def test_a_taken_over_row_counts_the_dead_workers_attempt(sqlite):
    enqueue(sqlite, some_work())
    claim(sqlite, "dead")
    assert claim(sqlite, "w2", now=NOON + LEASE * 2).attempts == 2


def test_a_claim_may_ask_for_its_own_lease(sqlite):
    enqueue(sqlite, some_work())
    assert claim(sqlite, lease=timedelta(hours=1)).lease_until == NOON + timedelta(hours=1)
    assert claim(sqlite, "w2", now=NOON + LEASE * 2) is None


def test_the_second_of_a_lane_waits_while_the_first_is_under_way(sqlite):
    enqueue(sqlite, some_work(key="first"), some_work(key="second"))
    claim(sqlite, "w1")
    assert claim(sqlite, "w2", now=NOON + SECOND) is None


def test_the_second_of_a_lane_waits_while_the_first_waits_for_its_retry(database):
    enqueue(database, some_work(key="first"), some_work(key="second"))
    call(database, outbox.retry, claim(database), NOON, "busy")
    assert claim(database, "w2", now=NOON + SECOND) is None


@pytest.mark.parametrize("end", [outbox.finish, outbox.bury], ids=["done", "dead"])
def test_the_second_of_a_lane_follows_once_the_first_is(sqlite, end):
    enqueue(sqlite, some_work(key="first"), some_work(key="second"))
    more = ("gone for good",) if end is outbox.bury else ()
    call(sqlite, end, claim(sqlite), NOON, *more)
    assert claim(sqlite).key == "second"


def test_a_waiting_lane_holds_up_no_other_lane(sqlite):
    enqueue(sqlite, some_work(key="stuck", lane="a"), some_work(key="free", lane="b"))
    call(sqlite, outbox.retry, claim(sqlite), NOON, "busy")
    assert claim(sqlite, now=NOON + SECOND).key == "free"


def test_many_workers_at_once_take_each_piece_of_work_once(database):
    enqueue(database, *(some_work(key=f"k{n}", lane=f"lane{n}") for n in range(40)))
    transactions = Transactions(database)

    def drain(name):
        taken = []
        while claimed := transactions.write(lambda conn: outbox.claim(conn, name, NOON)):
            taken.append(claimed.key)
            transactions.write(lambda conn, mine=claimed: outbox.finish(conn, mine, NOON))
        return taken

    with ThreadPoolExecutor(8) as pool:
        taken = [key for keys in pool.map(drain, [f"w{n}" for n in range(8)]) for key in keys]
    assert sorted(taken) == sorted(f"k{n}" for n in range(40))


# --- ends -----------------------------------------------------------------------------


def test_finished_work_is_done_and_forgets_earlier_trouble(database):
    enqueue(database, some_work())
    now = fail_times(database, 1) + timedelta(minutes=1)
    assert call(database, outbox.finish, claim(database, now=now), now)
    row = row_of(database)
    assert (row.pending, row.done_at, row.dead_at, row.error) == (False, now, None, None)
    assert claim(database, now=now + LEASE * 2) is None


def test_work_that_ends_after_its_lease_but_before_a_takeover_still_counts(sqlite):
    enqueue(sqlite, some_work())
    slow = claim(sqlite)
    assert call(sqlite, outbox.finish, slow, NOON + LEASE * 2)


@pytest.mark.parametrize(
    "change",
    [
        lambda conn, claimed: outbox.finish(conn, claimed, NOON),
        lambda conn, claimed: outbox.retry(conn, claimed, NOON, "late"),
        lambda conn, claimed: outbox.bury(conn, claimed, NOON, "late"),
        lambda conn, claimed: outbox.extend(conn, claimed, NOON + LEASE * 9),
    ],
    ids=["finish", "retry", "bury", "extend"],
)
def test_a_worker_that_lost_its_lease_changes_nothing(database, change):
    enqueue(database, some_work())
    slow = claim(database, "w1")
    claim(database, "w2", now=NOON + LEASE * 2)
    before = row_of(database)
    assert call(database, change, slow) is False
    assert row_of(database) == before


def test_a_worker_that_takes_its_own_lost_row_again_cannot_use_the_old_claim(sqlite):
    enqueue(sqlite, some_work())
    old = claim(sqlite, "w1")
    claim(sqlite, "w1", now=NOON + LEASE * 2)
    assert call(sqlite, outbox.finish, old, NOON) is False


def test_work_cannot_be_finished_twice(sqlite):
    enqueue(sqlite, some_work())
    mine = claim(sqlite)
    assert [call(sqlite, outbox.finish, mine, NOON) for _ in range(2)] == [True, False]


def test_an_extended_lease_keeps_others_away_for_longer(sqlite):
    enqueue(sqlite, some_work())
    mine = claim(sqlite)
    assert call(sqlite, outbox.extend, mine, NOON + LEASE * 3)
    assert claim(sqlite, "w2", now=NOON + LEASE * 2) is None
    assert call(sqlite, outbox.finish, mine, NOON + LEASE * 2)


@pytest.mark.parametrize(
    ("attempt", "wait"),
    [(1, 2), (2, 5), (3, 15), (4, 30), (5, 60), (6, 60), (60, 60)],
    ids=str,
)
def test_each_failure_waits_longer_than_the_one_before_up_to_a_minute(sqlite, attempt, wait):
    enqueue(sqlite, some_work())
    now = fail_times(sqlite, attempt)
    assert row_of(sqlite).due == now + timedelta(seconds=wait)


def test_failed_work_is_free_again_and_keeps_its_error(sqlite):
    enqueue(sqlite, some_work())
    fail_times(sqlite, 1)
    row = row_of(sqlite)
    assert (row.pending, row.worker, row.lease_until, row.error) == (True, None, None, "no route to host")


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(None, 2), (0, 2), (1, 2), (-5, 2), (30.5, 30.5), (7200, 7200)],
    ids=["not asked", "at once", "sooner", "in the past", "later", "much later"],
)
def test_the_other_side_may_ask_for_a_longer_wait_but_not_for_a_shorter(sqlite, asked, waits):
    enqueue(sqlite, some_work())
    call(sqlite, outbox.retry, claim(sqlite), NOON, "slow down", asked)
    assert row_of(sqlite).due == NOON + timedelta(seconds=waits)


def test_an_outage_of_the_other_side_uses_nothing_up(sqlite):
    enqueue(sqlite, some_work())
    fail_times(sqlite, 10 * MAX_ATTEMPTS)
    assert counts(sqlite) == {"pending": 1, "dead": 0}


def test_work_that_failed_often_enough_for_long_enough_becomes_a_dead_letter(sqlite):
    enqueue(sqlite, some_work())
    fail_times(sqlite, MAX_ATTEMPTS - 1)
    assert counts(sqlite) == {"pending": 1, "dead": 0}
    now = NOON + PATIENCE
    call(sqlite, outbox.retry, claim(sqlite, now=now), now, "still no route")
    row = row_of(sqlite)
    assert counts(sqlite) == {"pending": 0, "dead": 1}
    assert (row.dead_at, row.done_at, row.error) == (now, None, "still no route")


def test_a_dead_letter_is_never_claimed(sqlite):
    enqueue(sqlite, some_work())
    call(sqlite, outbox.bury, claim(sqlite), NOON, "no such channel")
    assert claim(sqlite, now=NOON + timedelta(days=365)) is None


# --- dead letters and figures ---------------------------------------------------------


def test_a_revived_letter_starts_afresh(database):
    enqueue(database, some_work())
    call(database, outbox.bury, claim(database), NOON, "no such channel")
    later = NOON + timedelta(days=2)
    assert call(database, outbox.revive, row_of(database).id, later)
    assert claim(database, now=later - SECOND) is None
    assert claim(database, now=later).attempts == 1


def test_the_old_claim_cannot_finish_a_revived_letter(sqlite):
    enqueue(sqlite, some_work())
    old = claim(sqlite)
    call(sqlite, outbox.bury, old, NOON, "no such channel")
    call(sqlite, outbox.revive, old.id, NOON)
    assert call(sqlite, outbox.finish, old, NOON) is False


@pytest.mark.parametrize("state", ["waiting", "under way", "done", "unknown"])
def test_only_a_dead_letter_can_be_revived(sqlite, state):
    enqueue(sqlite, some_work())
    if state in ("under way", "done"):
        mine = claim(sqlite)
    if state == "done":
        call(sqlite, outbox.finish, mine, NOON)
    before = row_of(sqlite)
    assert call(sqlite, outbox.revive, 999 if state == "unknown" else before.id, NOON) is False
    assert row_of(sqlite) == before


def test_the_figures_tell_waiting_done_and_dead_apart(sqlite):
    enqueue(sqlite, *(some_work(key=key, lane=key) for key in ("done", "dead", "under way", "waiting")))
    call(sqlite, outbox.finish, claim(sqlite), NOON)
    call(sqlite, outbox.bury, claim(sqlite), NOON, "no such channel")
    claim(sqlite)
    assert counts(sqlite) == {"pending": 2, "dead": 1}


def test_the_oldest_waiting_is_when_it_was_enqueued_whatever_its_retries(database):
    enqueue(database, some_work(key="old", lane="a"), now=NOON)
    enqueue(database, some_work(key="new", lane="b"), now=NOON + SECOND)
    call(database, outbox.retry, claim(database), NOON, "busy", 3600)
    with database.connect() as conn:
        assert outbox.oldest_waiting(conn) == NOON


def test_nothing_waits_once_all_is_done(sqlite):
    enqueue(sqlite, some_work())
    call(sqlite, outbox.finish, claim(sqlite), NOON)
    with sqlite.connect() as conn:
        assert outbox.oldest_waiting(conn) is None


def test_a_row_whose_turn_has_not_come_waits_without_using_up_a_try(database):
    enqueue(database, some_work())
    now = NOON
    for _ in range(3 * MAX_ATTEMPTS):
        now += SECOND
        assert call(database, outbox.put_off, claim(database, now=now), now, 0.5)
    assert claim(database, now=now) is None
    taken = claim(database, now=now + SECOND)
    assert taken.attempts == 1
    assert counts(database) == {"pending": 1, "dead": 0}


def test_a_row_that_another_worker_took_over_is_not_put_off(sqlite):
    enqueue(sqlite, some_work())
    first = claim(sqlite)
    second = claim(sqlite, worker="w2", now=NOON + LEASE + SECOND)
    assert not call(sqlite, outbox.put_off, first, NOON, 1.0)
    assert call(sqlite, outbox.finish, second, NOON + LEASE + SECOND, "C1:1")
    with sqlite.connect() as conn:
        assert outbox.receipt(conn, "IT-1:card") == "C1:1"


def test_a_newer_state_takes_the_place_of_one_that_waits_and_the_same_again_loses_nothing(database):
    for key in ("IT-1:card:2", "IT-1:card:3", "IT-1:card:3"):
        enqueue(database, outbox.Work(key, "notice", "channel:it", {"text": key}, replaces="IT-1:card"))
    assert counts(database) == {"pending": 1, "dead": 0}
    assert claim(database).key == "IT-1:card:3"
