"""Promises of the ticket store: stored once, decided once, listed in order, and nothing shown to who may not see it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, StatementError

from builders import MINOR, NOON, NOT_MINOR, a_decision, a_message, a_ticket, impact, masked
from triage.store import corrections, decisions, tickets
from triage.store.tables import CorrectionRow, DecisionRow, EventRow, TicketRow
from triage.ticket import Masked, Priority, Reason, Route, Span, Status

MINUTE = timedelta(minutes=1)


def call(database, change, *arguments, **more):
    with database.begin() as conn:
        return change(conn, *arguments, **more)


def add(database, number=1, text="zebra printer jams", now=NOON, **changes):
    message = a_message(external_id=f"m-{number}", **changes)
    return call(database, tickets.add, [tickets.Arrival(message, masked(text), "en", now)])[0]


def decide(database, filed, now=NOON, incident_id=None, **changes):
    return call(database, decisions.record_decision, filed.id, a_decision(**changes), incident_id, now)


def add_decided(database, number=1, received=NOON, requester="nurse.sample@example.org", **changes):
    filed = add(database, number, now=received, requester=requester)
    assert decide(database, filed, **changes)
    return filed


def get(database, filed):
    return call(database, tickets.get, filed.id)


def page(database, cursor=None, limit=25, *, see_restricted=True, **filters):
    return call(database, tickets.page, filters=filters, see_restricted=see_restricted, cursor=cursor, limit=limit)


def ids(rows):
    return [row.id for row in rows]


def count(database, table):
    return len(call(database, lambda conn: conn.execute(select(table.__table__)).all()))


# --- references -----------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 42, 10**14])
def test_a_reference_leads_back_to_its_ticket(number):
    assert tickets.id_of(tickets.ref_of(number)) == number


@pytest.mark.parametrize(("ref", "number"), [("it-7", 7), ("It-7", 7), ("7", 7)], ids=["lower", "mixed", "bare"])
def test_a_reference_may_be_typed_carelessly(ref, number):
    assert tickets.id_of(ref) == number


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "IT-",
        "IT-x",
        "IT-1.5",
        "IT--1",
        "-1",
        "IT-IT-1",
        "IT-1 OR 1=1",
        "IT-1\n",
        "INC-1",
        "IT-\u0663",
        "IT-\u00b2",
        "IT-" + "9" * 16,
        "IT-1\x00",
    ],
    ids=ascii,
)
def test_what_is_no_reference_leads_nowhere(ref):
    assert tickets.id_of(ref) is None


# --- adding ---------------------------------------------------------------------------


def arrival(number, text="zebra printer jams"):
    return tickets.Arrival(a_message(external_id=f"m-{number}"), masked(text), "en", NOON)


def test_tickets_added_together_come_back_in_their_own_places(database):
    filed = call(database, tickets.add, [arrival(n, f"printer {n} jams") for n in range(130)])
    assert [one.ticket.text for one in filed] == [f"printer {n} jams" for n in range(130)]
    assert [get(database, one).text for one in filed] == [one.ticket.text for one in filed]
    assert [[e.kind for e in call(database, tickets.events, one.id)] for one in filed] == [["filed"]] * 130


def test_among_tickets_added_together_each_id_of_a_channel_counts_once(database):
    known = add(database, 1, "the first words")
    arrivals = [arrival(2), arrival(1, "other words"), arrival(3, "its first words"), arrival(3, "again")]
    filed = call(database, tickets.add, arrivals)
    assert [one.created for one in filed] == [True, False, True, False]
    assert filed[1].ticket == known.ticket
    assert filed[3].ticket == filed[2].ticket
    assert (count(database, TicketRow), count(database, EventRow)) == (3, 3)


def test_an_added_ticket_reads_back_as_it_was_filed(database):
    message = a_message("", unit="4 West", device="PRN-0042", impact=impact(affects_care=True, whole_unit=False))
    text = Masked("L\u2019imprimante de [NAME] \u2014 \U0001f5a8", (Span(15, 30, "NAME"),))
    filed = call(database, tickets.add, [tickets.Arrival(message, text, "fr", NOON, truncated=True)])[0]
    row = get(database, filed)
    assert tickets.to_ticket(row) == filed.ticket
    assert filed.ticket.text == text.text
    assert filed.ticket.impact == impact(affects_care=True, whole_unit=False)
    assert (filed.ticket.language, filed.ticket.truncated, filed.ticket.withheld) == ("fr", True, False)
    assert row.spans == [[15, 30, "NAME"]]


def test_a_new_ticket_is_open_undecided_and_not_restricted(database):
    row = get(database, add(database))
    assert (row.status, row.is_open, row.restricted, row.escalated) == ("new", True, False, 0)
    assert (row.route, row.category, row.priority, row.team) == (None, None, None, None)


def test_a_withheld_text_is_marked_as_withheld(sqlite):
    text = Masked("[withheld]", failed=True)
    filed = call(sqlite, tickets.add, [tickets.Arrival(a_message(), text, "en", NOON)])[0]
    assert get(sqlite, filed).withheld
    assert filed.ticket.withheld


def test_the_same_id_on_the_same_channel_is_the_first_ticket(database):
    first = add(database, text="first words")
    again = add(database, text="other words", now=NOON + MINUTE)
    assert (first.created, again.created) == (True, False)
    assert again.ticket == first.ticket
    assert (count(database, TicketRow), count(database, EventRow)) == (1, 1)


def test_the_same_id_on_another_channel_is_another_ticket(database):
    here, there = add(database, channel="slack"), add(database, channel="web")
    assert there.created
    assert here.id != there.id


@pytest.mark.parametrize("triaged", [False, True], ids=["before its decision", "after its decision"])
def test_a_repeat_tells_whether_the_first_was_decided(database, triaged):
    first = add(database)
    if triaged:
        decide(database, first)
    assert add(database).triaged is triaged


def test_a_time_is_kept_to_the_microsecond_in_utc_whatever_zone_it_came_in(database):
    toronto = timezone(timedelta(hours=-5))
    filed = add(database, now=datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=toronto))
    received = get(database, filed).received_at
    assert received == NOON.replace(microsecond=123456)
    assert received.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(database):
    with pytest.raises(StatementError, match="naive"):
        add(database, now=datetime(2026, 11, 24, 12, 0))  # noqa: DTZ001 - this is the bad input
    assert count(database, TicketRow) == 0


def test_there_is_no_ticket_behind_an_unknown_id(sqlite):
    assert call(sqlite, tickets.get, 7) is None


def test_tickets_added_in_bulk_are_all_there_without_events(sqlite):
    add(sqlite)
    row = dict(get(sqlite, add(sqlite))._mapping)
    del row["id"]
    call(sqlite, tickets.add_many, [row | {"external_id": f"bulk-{n}"} for n in range(50)])
    assert (count(sqlite, TicketRow), count(sqlite, EventRow)) == (51, 1)


# --- the timeline ---------------------------------------------------------------------


def test_the_timeline_tells_what_happened_oldest_first(database):
    filed = add_decided(database)
    call(database, tickets.add_event, filed.id, NOON + MINUTE, "escalated", "triage", {"to": "it-leads"})
    told = call(database, tickets.events, filed.id)
    assert [(event.kind, event.actor) for event in told] == [
        ("filed", "nurse.sample@example.org"),
        ("decided", "triage"),
        ("escalated", "triage"),
    ]
    assert (told[2].at, told[2].data) == (NOON + MINUTE, {"to": "it-leads"})


def test_a_timeline_holds_its_own_tickets_events_alone(sqlite):
    one, other = add(sqlite, 1), add(sqlite, 2)
    call(sqlite, tickets.add_event, other.id, NOON, "escalated", "triage", {})
    assert [event.kind for event in call(sqlite, tickets.events, one.id)] == ["filed"]


def test_an_event_of_an_unknown_ticket_is_refused(database):
    with pytest.raises(IntegrityError):
        call(database, tickets.add_event, 99, NOON, "escalated", "triage", {})


# --- decisions ------------------------------------------------------------------------


def test_a_decision_moves_the_ticket_and_can_be_explained_later(database):
    filed = add(database)
    decision = a_decision(
        reasons=(Reason("routed", "97%"), Reason("sla", "")),
        top=(("printer", 0.97), ("device_downtime", 0.02)),
        words=(("jams", 1.25),),
        resolve_by=NOON + timedelta(hours=8),
    )
    assert call(database, decisions.record_decision, filed.id, decision, None, NOON + MINUTE)
    row, kept = get(database, filed), call(database, decisions.last_decision, filed.id)
    assert (row.route, row.category, row.priority, row.team) == ("queue", MINOR, "P3", "workplace")
    assert (row.respond_by, row.resolve_by) == (NOON, NOON + timedelta(hours=8))
    assert kept.reasons == [["routed", "97%"], ["sla", ""]]
    assert kept.top == [["printer", 0.97], ["device_downtime", 0.02]]
    assert kept.words == [["jams", 1.25]]
    assert (kept.at, kept.model_version) == (NOON + MINUTE, "test-1")


@pytest.mark.parametrize("route", list(Route))
def test_only_an_automatic_answer_waits_for_the_reporter(sqlite, route):
    filed = add_decided(sqlite, route=route)
    expected = "waiting" if route is Route.AUTO_RESOLVE else "open"
    assert get(sqlite, filed).status == expected


def test_an_abstention_is_stored_as_no_category(database):
    filed = add_decided(database, route=Route.HUMAN_REVIEW, category=None)
    assert get(database, filed).category is None
    assert call(database, decisions.last_decision, filed.id).category is None


def test_a_decision_that_restricts_hides_the_ticket(sqlite):
    filed = add_decided(sqlite, restricted=True)
    assert get(sqlite, filed).restricted


def test_a_second_decision_changes_nothing(database):
    filed = add_decided(database)
    before = get(database, filed)
    assert decide(database, filed, route=Route.SECURITY, category=NOT_MINOR) is False
    assert get(database, filed) == before
    assert (count(database, DecisionRow), count(database, EventRow)) == (1, 2)


def test_a_late_decision_does_not_reopen_what_a_person_closed(database):
    filed = add(database)
    call(database, tickets.set_status, filed.id, Status.CLOSED, [Status.NEW])
    assert decide(database, filed) is False
    assert get(database, filed).status == "closed"


def test_a_decision_about_an_unknown_ticket_is_not_stored(sqlite):
    assert call(sqlite, decisions.record_decision, 99, a_decision(), None, NOON) is False
    assert count(sqlite, DecisionRow) == 0


def test_an_undecided_ticket_has_no_decision(sqlite):
    assert call(sqlite, decisions.last_decision, add(sqlite).id) is None


# --- what a crash left behind ---------------------------------------------------------


def test_only_undecided_tickets_from_before_a_time_are_left_behind(database):
    old, decided, young = add(database, 1), add(database, 2), add(database, 3, now=NOON + MINUTE)
    decide(database, decided)
    assert ids(call(database, tickets.untriaged, NOON + MINUTE)) == [old.id]
    assert call(database, tickets.count_untriaged) == 2
    assert young.id not in ids(call(database, tickets.untriaged, NOON + MINUTE))


def test_what_was_left_behind_comes_oldest_first_and_in_portions(sqlite):
    filed = [add(sqlite, n) for n in range(5)]
    assert ids(call(sqlite, tickets.untriaged, NOON + MINUTE, limit=3)) == [one.id for one in filed[:3]]


# --- similar reports ------------------------------------------------------------------


def alike(database, ticket, category=MINOR, since=NOON - timedelta(hours=1)):
    return call(database, tickets.recent_alike, ticket, category, since)


def report(database, number, requester, **changes):
    place = {name: changes.pop(name) for name in ("unit", "device") if name in changes}
    now = changes.pop("now", NOON)
    filed = add(database, number, now=now, requester=requester, **place)
    decide(database, filed, **changes)
    return filed


@pytest.mark.parametrize(
    ("theirs", "mine", "similar"),
    [
        ({"unit": "ICU"}, {"unit": "ICU"}, 1),
        ({"device": "PRN-1"}, {"device": "PRN-1"}, 1),
        ({"unit": "ICU", "device": "PRN-1"}, {"unit": "ICU", "device": "PRN-2"}, 1),
        ({"unit": "ICU", "device": "PRN-1"}, {"unit": "ER", "device": "PRN-1"}, 1),
        ({"unit": "ICU"}, {"unit": "ER"}, 0),
        ({"device": "PRN-1"}, {"device": "PRN-2"}, 0),
        ({}, {}, 0),
        ({"unit": ""}, {"device": "PRN-1"}, 0),
        ({"unit": "ICU", "category": NOT_MINOR}, {"unit": "ICU"}, 0),
        ({"unit": "ICU", "now": NOON - timedelta(hours=2)}, {"unit": "ICU"}, 0),
        ({"unit": "ICU", "now": NOON - timedelta(hours=1)}, {"unit": "ICU"}, 1),
    ],
    ids=[
        "same unit",
        "same device",
        "same unit, another device",
        "another unit, same device",
        "another unit",
        "another device",
        "nowhere in particular",
        "an empty unit is not a place",
        "another category",
        "too long ago",
        "just not too long ago",
    ],
)
def test_a_similar_report_is_about_the_same_thing_lately(sqlite, theirs, mine, similar):
    report(sqlite, 1, "one.sample@example.org", **theirs)
    assert alike(sqlite, a_ticket(ref="IT-99", requester="me.sample@example.org", **mine)) == similar


def test_similar_reports_count_people_not_messages(database):
    for number, person in enumerate(["one", "one", "two", "three"]):
        report(database, number, f"{person}.sample@example.org", unit="ICU")
    assert alike(database, a_ticket(ref="IT-99", unit="ICU", requester="three.sample@example.org")) == 2


def test_reports_without_a_name_count_each(sqlite):
    for number in range(3):
        filed = report(sqlite, number, "", unit="ICU")
    assert alike(sqlite, a_ticket(ref=filed.ticket.ref, unit="ICU", requester="")) == 2


def test_a_closed_ticket_is_no_similar_report(sqlite):
    filed = report(sqlite, 1, "one.sample@example.org", unit="ICU")
    call(sqlite, tickets.set_status, filed.id, Status.RESOLVED, [Status.OPEN])
    assert alike(sqlite, a_ticket(ref="IT-99", unit="ICU")) == 0


# --- pages ----------------------------------------------------------------------------


def test_pages_go_from_new_to_old_without_gap_or_repeat(database):
    filed = [add(database, n) for n in range(7)]
    seen, cursor = [], None
    for _ in range(3):
        found = page(database, cursor, 3)
        seen += ids(found.rows)
        cursor = found.next
    assert seen == [one.id for one in reversed(filed)]
    assert cursor is None


def test_a_ticket_that_arrives_while_paging_shifts_nothing(sqlite):
    filed = [add(sqlite, n) for n in range(4)]
    first = page(sqlite, limit=2)
    add(sqlite, 99)
    assert ids(page(sqlite, first.next, 2).rows) == [filed[1].id, filed[0].id]


@pytest.mark.parametrize(("stored", "following"), [(3, False), (4, True)], ids=["full page", "one more"])
def test_there_is_a_next_page_only_when_it_has_rows(sqlite, stored, following):
    for number in range(stored):
        add(sqlite, number)
    found = page(sqlite, limit=3)
    assert len(found.rows) == 3
    assert (found.next is not None) is following


def test_an_empty_list_is_one_empty_page(sqlite):
    found = page(sqlite)
    assert (list(found.rows), found.next) == ([], None)


def test_nobody_gets_more_rows_at_once_than_the_most(sqlite):
    add(sqlite)
    row = dict(get(sqlite, add(sqlite))._mapping)
    del row["id"]
    most = tickets.MAX_PAGE
    call(sqlite, tickets.add_many, [row | {"external_id": f"bulk-{n}"} for n in range(most + 10)])
    found = page(sqlite, limit=10_000)
    assert len(found.rows) == most
    assert len(page(sqlite, found.next, limit=10_000).rows) == 11


@pytest.mark.parametrize(
    "filters",
    [
        {"status": "open"},
        {"route": "queue"},
        {"category": MINOR},
        {"priority": "P3"},
        {"team": "workplace"},
        {"requester": "one.sample@example.org"},
        {"status": "open", "team": "workplace"},
    ],
    ids=" and ".join,
)
def test_a_filter_keeps_what_matches_exactly(sqlite, filters):
    wanted = add_decided(sqlite, 1, requester="one.sample@example.org")
    add_decided(sqlite, 2, route=Route.AUTO_RESOLVE, category=NOT_MINOR, priority=Priority.P1, team="clinical_apps")
    assert ids(page(sqlite, **filters).rows) == [wanted.id]


@pytest.mark.parametrize("value", ["%", "print", "PRINTER", "printer' OR '1'='1", ""])
def test_a_filter_is_no_pattern_and_no_sql(database, value):
    add_decided(database)
    assert ids(page(database, category=value).rows) == []


def test_filters_and_cursor_work_together(sqlite):
    filed = [add_decided(sqlite, n, team="workplace" if n % 2 else "network") for n in range(6)]
    first = page(sqlite, limit=2, team="workplace")
    assert ids(first.rows) == [filed[5].id, filed[3].id]
    assert ids(page(sqlite, first.next, 2, team="workplace").rows) == [filed[1].id]


@pytest.mark.parametrize(("see", "shown"), [(True, [2, 1]), (False, [1])], ids=["may see", "may not"])
def test_a_page_shows_restricted_tickets_only_to_who_may_see_them(database, see, shown):
    add_decided(database, 1)
    add_decided(database, 2, restricted=True)
    assert ids(page(database, see_restricted=see).rows) == shown
    assert ids(page(database, see_restricted=see, status="open").rows) == shown


def test_hidden_tickets_do_not_shorten_a_page_or_show_in_its_cursor(sqlite):
    for number in range(1, 7):
        add_decided(sqlite, number, restricted=number % 2 == 0)
    found = page(sqlite, limit=2, see_restricted=False)
    assert (ids(found.rows), found.next) == ([5, 3], 3)


# --- the worklist ---------------------------------------------------------------------


def worklist(database, *, see_restricted=True, **more):
    return ids(call(database, tickets.worklist, see_restricted=see_restricted, **more))


def test_the_most_pressing_comes_first_then_the_nearest_promise_then_the_oldest(database):
    late, soon = NOON + timedelta(hours=9), NOON + timedelta(hours=1)
    calm = add_decided(database, 1, priority=Priority.P4, resolve_by=soon)
    later = add_decided(database, 2, priority=Priority.P2, resolve_by=late)
    sooner = add_decided(database, 3, priority=Priority.P2, resolve_by=soon)
    same = add_decided(database, 4, priority=Priority.P2, resolve_by=soon)
    worst = add_decided(database, 5, priority=Priority.P1, resolve_by=late)
    assert worklist(database) == [one.id for one in (worst, sooner, same, later, calm)]


def test_restricted_tickets_take_their_place_among_the_others_for_who_may_see_them(database):
    calm = add_decided(database, 1, priority=Priority.P3)
    hidden = add_decided(database, 2, priority=Priority.P2, restricted=True)
    worst = add_decided(database, 3, priority=Priority.P1)
    assert worklist(database, see_restricted=True) == [worst.id, hidden.id, calm.id]
    assert worklist(database, see_restricted=False) == [worst.id, calm.id]


def test_a_ticket_nobody_has_judged_yet_stands_before_all_that_were(database):
    add_decided(database, 1, priority=Priority.P1)
    unknown = add(database, 2)
    assert worklist(database)[0] == unknown.id


@pytest.mark.parametrize("status", [Status.RESOLVED, Status.CLOSED])
def test_what_is_done_leaves_the_worklist(sqlite, status):
    done, left = add_decided(sqlite, 1), add_decided(sqlite, 2)
    call(sqlite, tickets.set_status, done.id, status, [Status.OPEN])
    assert worklist(sqlite) == [left.id]


def test_a_short_worklist_keeps_the_most_pressing(sqlite):
    add_decided(sqlite, 1, priority=Priority.P4)
    worst = add_decided(sqlite, 2, priority=Priority.P1)
    assert worklist(sqlite, limit=1) == [worst.id]


# --- states and escalation ------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_open"),
    [
        (Status.OPEN, True),
        (Status.WAITING, True),
        (Status.RESOLVED, False),
        (Status.CLOSED, False),
    ],
)
def test_a_ticket_is_open_until_it_is_resolved_or_closed(sqlite, status, is_open):
    filed = add_decided(sqlite)
    assert call(sqlite, tickets.set_status, filed.id, status, list(Status))
    row = get(sqlite, filed)
    assert (row.status, row.is_open) == (status.value, is_open)


def test_a_resolved_ticket_can_be_opened_again(sqlite):
    filed = add_decided(sqlite)
    call(sqlite, tickets.set_status, filed.id, Status.RESOLVED, [Status.OPEN])
    assert call(sqlite, tickets.set_status, filed.id, Status.OPEN, [Status.RESOLVED])
    assert get(sqlite, filed).is_open


def test_a_move_from_a_state_that_is_not_allowed_changes_nothing(database):
    filed = add_decided(database)
    before = get(database, filed)
    assert call(database, tickets.set_status, filed.id, Status.RESOLVED, [Status.WAITING]) is False
    assert get(database, filed) == before


def test_a_ticket_of_no_allowed_state_is_never_moved(sqlite):
    filed = add_decided(sqlite)
    assert call(sqlite, tickets.set_status, filed.id, Status.RESOLVED, []) is False


def test_every_move_counts_the_version_up(sqlite):
    filed = add(sqlite)
    seen = [get(sqlite, filed).version]
    decide(sqlite, filed)
    seen.append(get(sqlite, filed).version)
    call(sqlite, tickets.set_status, filed.id, Status.RESOLVED, [Status.OPEN])
    seen.append(get(sqlite, filed).version)
    assert seen == [1, 2, 3]


def test_a_move_may_record_the_first_answer_with_it(sqlite):
    filed = add_decided(sqlite)
    call(sqlite, tickets.set_status, filed.id, Status.WAITING, [Status.OPEN], answered_at=NOON)
    assert get(sqlite, filed).answered_at == NOON


def test_of_two_workers_only_one_climbs_a_rung(database):
    filed = add_decided(database)
    assert [call(database, tickets.set_escalated, filed.id, 0, 1) for _ in range(2)] == [True, False]
    assert get(database, filed).escalated == 1


def test_only_decided_unanswered_open_tickets_wait_for_an_answer(database):
    add(database, 1)
    waiting = add_decided(database, 2)
    add_decided(database, 3, route=Route.AUTO_RESOLVE)
    answered, closed = add_decided(database, 4), add_decided(database, 5)
    call(database, tickets.set_status, answered.id, Status.OPEN, [Status.OPEN], answered_at=NOON)
    call(database, tickets.set_status, closed.id, Status.CLOSED, [Status.OPEN])
    assert ids(call(database, tickets.waiting_for_answer)) == [waiting.id]


def test_many_old_calm_tickets_do_not_hide_a_pressing_one_from_the_ladder(sqlite):
    calm = add_decided(sqlite, 1, priority=Priority.P4, respond_by=NOON + timedelta(days=3))
    row = dict(get(sqlite, calm)._mapping)
    del row["id"]
    call(sqlite, tickets.add_many, [row | {"external_id": f"calm-{n}"} for n in range(500)])
    pressing = add_decided(
        sqlite, 2, received=NOON + MINUTE, priority=Priority.P1, respond_by=NOON + timedelta(minutes=15)
    )
    assert pressing.id in ids(call(sqlite, tickets.waiting_for_answer))


# --- verdicts of people ---------------------------------------------------------------


def correct(database, filed, label, *, learn=True):
    return call(
        database, corrections.add_correction, filed.id, actor="agent@example.org", label=label, learn=learn, now=NOON
    )


def examples(database):
    return [(row.id, row.label) for row in call(database, corrections.reviewed_examples)]


def test_a_correction_tells_what_the_category_was_and_keeps_who_said_so(database):
    filed = add_decided(database)
    assert correct(database, filed, "equipment_request") == MINOR
    (kept,) = call(database, lambda conn: conn.execute(select(CorrectionRow.__table__)).all())
    assert (kept.actor, kept.was, kept.label) == ("agent@example.org", MINOR, "equipment_request")
    assert call(database, tickets.events, filed.id)[-1].data == {"was": MINOR, "label": "equipment_request"}


def test_a_correction_of_an_abstention_had_no_category_before(sqlite):
    filed = add_decided(sqlite, route=Route.HUMAN_REVIEW, category=None)
    assert correct(sqlite, filed, MINOR) is None


def test_a_correction_of_an_unknown_ticket_is_refused(database):
    with pytest.raises(IntegrityError):
        call(database, corrections.add_correction, 99, actor="agent@example.org", label=MINOR, learn=True, now=NOON)


def test_the_last_verdict_on_each_ticket_is_the_example(database):
    one, two = add_decided(database, 1), add_decided(database, 2)
    for filed, label in [(one, "telephony_paging"), (two, MINOR), (one, "out_of_scope")]:
        correct(database, filed, label)
    assert examples(database) == [(one.id, "out_of_scope"), (two.id, MINOR)]


def test_a_last_verdict_that_may_not_be_learned_takes_the_earlier_one_away(database):
    filed = add_decided(database)
    correct(database, filed, "telephony_paging")
    correct(database, filed, MINOR, learn=False)
    assert examples(database) == []


def test_a_withheld_text_never_becomes_an_example(sqlite):
    text = Masked("[withheld]", failed=True)
    filed = call(sqlite, tickets.add, [tickets.Arrival(a_message(), text, "en", NOON)])[0]
    correct(sqlite, filed, MINOR)
    assert examples(sqlite) == []


def test_an_example_is_the_masked_text_with_its_language_and_time(sqlite):
    filed = add(sqlite, text="call [NAME] at [PHONE]")
    correct(sqlite, filed, MINOR)
    (row,) = call(sqlite, corrections.reviewed_examples)
    assert (row.text, row.language, row.at) == ("call [NAME] at [PHONE]", "en", NOON)
