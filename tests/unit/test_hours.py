"""A promise in working minutes falls due when the team has really had those minutes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from triage.hours import due
from triage.policy import WEEKDAYS, Calendar

TORONTO = ZoneInfo("America/Toronto")
ALWAYS = Calendar(always=True)
OFFICE = Calendar(opens=time(8), closes=time(17), holidays=(date(2026, 12, 25), date(2026, 12, 28)))
EVERY_DAY = Calendar(days=WEEKDAYS, opens=time(0), closes=time(23, 59))
CLOCK_CHANGES = [date(2026, 3, 8), date(2026, 11, 1), date(2027, 3, 14), date(2027, 11, 7)]


def local(*moment):
    """Return a moment by the clocks of Toronto."""
    return datetime(*moment, tzinfo=TORONTO)


def utc(*moment):
    return datetime(*moment, tzinfo=UTC)


def at_the_hospital(start, minutes, calendar):
    """Return when it is due, by the clocks of Toronto."""
    return due(start.astimezone(UTC), minutes, calendar, TORONTO).astimezone(TORONTO).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [
        pytest.param(local(2026, 11, 24, 10, 0), 60, (2026, 11, 24, 11, 0), id="within the day"),
        pytest.param(local(2026, 11, 24, 10, 0), 420, (2026, 11, 24, 17, 0), id="to the minute of closing"),
        pytest.param(local(2026, 11, 24, 10, 0), 421, (2026, 11, 25, 8, 1), id="one minute more is tomorrow"),
        pytest.param(local(2026, 11, 24, 5, 30), 30, (2026, 11, 24, 8, 30), id="before opening"),
        pytest.param(local(2026, 11, 24, 8, 0), 30, (2026, 11, 24, 8, 30), id="at opening"),
        pytest.param(local(2026, 11, 24, 17, 0), 30, (2026, 11, 25, 8, 30), id="at closing"),
        pytest.param(local(2026, 11, 24, 16, 50), 30, (2026, 11, 25, 8, 20), id="over the night"),
        pytest.param(local(2026, 11, 24, 21, 0), 30, (2026, 11, 25, 8, 30), id="after closing"),
        pytest.param(local(2026, 11, 27, 16, 50), 30, (2026, 11, 30, 8, 20), id="over the weekend"),
        pytest.param(local(2026, 11, 28, 12, 0), 30, (2026, 11, 30, 8, 30), id="on a Saturday"),
        pytest.param(local(2026, 11, 29, 23, 59), 30, (2026, 11, 30, 8, 30), id="on a Sunday night"),
        pytest.param(local(2026, 12, 25, 10, 0), 30, (2026, 12, 29, 8, 30), id="on a holiday before a long weekend"),
        pytest.param(local(2026, 12, 24, 16, 0), 90, (2026, 12, 29, 8, 30), id="over holidays and a weekend"),
        pytest.param(local(2026, 11, 24, 8, 0), 540 * 3, (2026, 11, 26, 17, 0), id="three whole days"),
        pytest.param(local(2026, 11, 24, 8, 0), 540 * 5 + 1, (2026, 12, 1, 8, 1), id="a whole week and a minute"),
        pytest.param(local(2026, 11, 24, 10, 0, 30), 1, (2026, 11, 24, 10, 1, 30), id="seconds are kept"),
    ],
)
def test_only_opening_hours_count(start, minutes, expected):
    assert at_the_hospital(start, minutes, OFFICE) == datetime(*expected)  # noqa: DTZ001 - the clock on the wall


def test_a_team_may_work_on_weekends_alone():
    weekend = Calendar(days=("sat", "sun"), opens=time(10), closes=time(14))
    assert at_the_hospital(local(2026, 11, 24, 12, 0), 270, weekend) == local(2026, 11, 29, 10, 30).replace(tzinfo=None)


def test_a_team_may_close_for_a_whole_summer():
    summer = Calendar(holidays=tuple(date(2026, 6, 1) + timedelta(days=n) for n in range(92)))
    assert at_the_hospital(local(2026, 6, 1, 9, 0), 30, summer) == local(2026, 9, 1, 8, 30).replace(tzinfo=None)


def test_the_weekday_is_that_of_the_hospital_not_of_utc():
    friday_evening = Calendar(opens=time(8), closes=time(23))
    start = utc(2026, 11, 28, 2, 0)  # Saturday in UTC, Friday 21:00 in Toronto
    assert due(start, 60, friday_evening, TORONTO) == utc(2026, 11, 28, 3, 0)


# --- around the clock -----------------------------------------------------------------


@pytest.mark.parametrize(
    "start",
    [utc(2026, 11, 28, 3, 0), utc(2026, 12, 25, 12, 0), utc(2026, 3, 8, 6, 30), utc(2026, 11, 1, 5, 30)],
    ids=["weekend night", "holiday", "clocks go forward", "clocks go back"],
)
def test_around_the_clock_every_minute_counts(start):
    assert due(start, 90, ALWAYS, TORONTO) - start == timedelta(minutes=90)


def test_around_the_clock_needs_no_days_or_holidays():
    calendar = Calendar(always=True, days=("mon",), holidays=(date(2026, 11, 24),))
    assert due(utc(2026, 11, 24, 12, 0), 1, calendar, TORONTO) == utc(2026, 11, 24, 12, 1)


# --- clock changes in Toronto: 2026-03-08 02:00 -> 03:00, 2026-11-01 02:00 -> 01:00 ---------


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [
        pytest.param(utc(2026, 3, 6, 21, 30), 60, utc(2026, 3, 9, 12, 30), id="spring: Friday EST to Monday EDT"),
        pytest.param(utc(2026, 10, 30, 20, 30), 60, utc(2026, 11, 2, 13, 30), id="autumn: Friday EDT to Monday EST"),
    ],
)
def test_the_office_opens_by_the_wall_clock_on_both_sides_of_a_clock_change(start, minutes, expected):
    assert due(start, minutes, OFFICE, TORONTO) == expected


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [
        pytest.param(utc(2026, 3, 8, 13, 0), 60, utc(2026, 3, 8, 14, 0), id="spring, by day"),
        pytest.param(utc(2026, 11, 1, 14, 0), 60, utc(2026, 11, 1, 15, 0), id="autumn, by day"),
        pytest.param(utc(2026, 3, 8, 6, 30), 90, utc(2026, 3, 8, 8, 0), id="spring, over the missing hour"),
        pytest.param(utc(2026, 11, 1, 5, 30), 45, utc(2026, 11, 1, 6, 15), id="autumn, into the second 01:00"),
        pytest.param(utc(2026, 11, 1, 6, 30), 10, utc(2026, 11, 1, 6, 40), id="autumn, within the second 01:00"),
        pytest.param(utc(2026, 11, 1, 5, 30), 120, utc(2026, 11, 1, 7, 30), id="autumn, over the doubled hour"),
    ],
)
def test_on_the_day_of_a_clock_change_real_minutes_count(start, minutes, expected):
    assert due(start, minutes, EVERY_DAY, TORONTO) == expected


# --- the answer's own clock -----------------------------------------------------------


@pytest.mark.parametrize("calendar", [ALWAYS, OFFICE], ids=["always", "office"])
@pytest.mark.parametrize("zone", [UTC, TORONTO, ZoneInfo("Asia/Kolkata")], ids=str)
def test_the_answer_is_in_the_zone_of_the_question(calendar, zone):
    start = utc(2026, 11, 24, 17, 0).astimezone(zone)
    found = due(start, 60, calendar, TORONTO)
    assert found.tzinfo is zone
    assert found == utc(2026, 11, 24, 18, 0)


# --- calendars that hardly open -------------------------------------------------------


@pytest.mark.parametrize(
    "calendar",
    [
        pytest.param(Calendar.model_construct(days=(), opens=time(8), closes=time(17)), id="no day"),
        pytest.param(Calendar(opens=time(17), closes=time(8)), id="closes before it opens"),
        pytest.param(Calendar(opens=time(8), closes=time(8)), id="closes as it opens"),
    ],
)
def test_a_calendar_that_never_opens_is_an_error_not_an_endless_search(calendar):
    with pytest.raises(ValueError, match="never opens"):
        due(utc(2026, 11, 24, 17, 0), 1, calendar, TORONTO)


def test_a_long_promise_on_a_rarely_open_calendar_falls_due_in_the_end():
    one_hour_a_week = Calendar(days=("mon",), opens=time(9), closes=time(10))
    found = at_the_hospital(local(2026, 11, 24, 12, 0), 60 * 200, one_hour_a_week)
    assert found == datetime(2030, 9, 23, 10, 0)  # noqa: DTZ001 - the clock on the wall, 200 Mondays later


# --- over anything --------------------------------------------------------------------

hour_of_change = st.sampled_from([utc(2026, 3, 8, 5, 0), utc(2026, 11, 1, 4, 0)])
near_a_change = st.builds(
    lambda start, minutes: start + timedelta(minutes=minutes), hour_of_change, st.integers(0, 300)
)
any_moment = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001 - bounds must be naive
    datetime(2028, 1, 1),  # noqa: DTZ001 - as above
    timezones=st.just(UTC),
)
opening_hours = st.lists(
    st.times().map(lambda t: t.replace(second=0, microsecond=0)), min_size=2, max_size=2, unique=True
)
some_calendar = st.builds(
    lambda days, hours, holidays: Calendar(days=days, opens=min(hours), closes=max(hours), holidays=holidays),
    st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(tuple),
    opening_hours,
    st.lists(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=3).map(tuple),
)
# The shortest day is a minute long and may come once a week: 100 of them are under two years.
starts = any_moment | near_a_change
any_calendar = st.just(ALWAYS) | st.just(EVERY_DAY) | some_calendar
thorough = settings(deadline=None, max_examples=100, derandomize=True)


@thorough
@given(start=starts, minutes=st.integers(1, 100), calendar=any_calendar)
@example(start=utc(2026, 11, 1, 6, 30), minutes=10, calendar=EVERY_DAY)
def test_nothing_is_due_before_it_started_or_sooner_than_its_minutes(start, minutes, calendar):
    assert due(start, minutes, calendar, TORONTO) - start >= timedelta(minutes=minutes)


@thorough
@given(start=starts, minutes=st.integers(1, 99), more=st.integers(1, 60), calendar=any_calendar)
@example(start=utc(2026, 3, 8, 6, 30), minutes=60, more=30, calendar=EVERY_DAY)
def test_more_minutes_are_never_due_earlier(start, minutes, more, calendar):
    assert due(start, minutes, calendar, TORONTO) <= due(start, min(minutes + more, 100), calendar, TORONTO)


@thorough
@given(start=starts, later=st.integers(1, 5000), minutes=st.integers(1, 100), calendar=any_calendar)
@example(start=utc(2026, 11, 1, 5, 50), later=15, minutes=30, calendar=EVERY_DAY)
def test_a_later_ticket_is_never_due_before_an_earlier_one(start, later, minutes, calendar):
    after = start + timedelta(minutes=later)
    assert due(start, minutes, calendar, TORONTO) <= due(after, minutes, calendar, TORONTO)


@thorough
@given(start=starts, minutes=st.integers(1, 100), calendar=some_calendar)
def test_a_promise_falls_due_while_the_team_works(start, minutes, calendar):
    found = due(start, minutes, calendar, TORONTO).astimezone(TORONTO)
    assume(found.date() not in CLOCK_CHANGES)  # there the same wall clock may come twice, or never
    assert WEEKDAYS[found.weekday()] in calendar.days
    assert found.date() not in calendar.holidays
    assert calendar.opens <= found.time().replace(second=0, microsecond=0) <= calendar.closes
