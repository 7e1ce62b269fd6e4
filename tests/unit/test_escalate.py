"""An unanswered ticket climbs its team's ladder, rung by rung, in the team's own time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOON, POLICY
from triage.escalate import Climb, Waiting, overdue
from triage.policy import Step
from triage.ticket import Priority

P1, P2, P3, P4 = Priority
FRIDAY_EVENING = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)  # 17:30 in Toronto, half an hour before the office closes

# The requests team keeps office hours and has no ladder in the real policy; here it has one.
PATIENT = POLICY.model_copy(
    update={
        "teams": {
            **POLICY.teams,
            "procurement": POLICY.teams["procurement"].model_copy(
                update={"escalation": (Step(after_minutes=60, channel="it-leads"),)}
            ),
        }
    }
)


def a_wait(team="devices", priority=P1, **changes):
    return Waiting(**({"id": 1, "team": team, "priority": priority, "received_at": NOON, "escalated": 0} | changes))


def climbs(*tickets, after, policy=POLICY):
    """Return what must climb so many minutes after noon."""
    return list(overdue(tickets, NOON + timedelta(minutes=after), policy))


@pytest.mark.parametrize(
    ("after", "escalated", "channel"),
    [
        pytest.param(0, 0, None, id="at once"),
        pytest.param(19, 0, None, id="just before the first rung"),
        pytest.param(20, 0, "it-leads", id="at the first rung"),
        pytest.param(44, 1, None, id="just before the second rung"),
        pytest.param(45, 1, "it-directors", id="at the second rung"),
        pytest.param(9999, 2, None, id="the ladder is at its end"),
        pytest.param(9999, 7, None, id="more rungs climbed than the ladder has now"),
    ],
)
def test_a_rung_is_due_when_its_minutes_have_passed(after, escalated, channel):
    assert [climb.channel for climb in climbs(a_wait(escalated=escalated), after=after)] == (
        [channel] if channel else []
    )


def test_a_climb_says_who_is_called_how_high_and_after_how_long():
    ticket = a_wait(escalated=1)
    assert climbs(ticket, after=45) == [Climb(ticket, step=2, channel="it-directors", minutes=45)]


def test_after_a_nights_outage_nobody_is_called_before_their_turn():
    assert [climb.channel for climb in climbs(a_wait(), after=600)] == ["it-leads"]


@pytest.mark.parametrize(("priority", "climbing"), [(P1, True), (P2, True), (P3, False), (P4, False)], ids=str)
def test_only_pressing_tickets_climb(priority, climbing):
    assert bool(climbs(a_wait(priority=priority), after=9999)) == climbing


@pytest.mark.parametrize("priority", Priority)
def test_a_ticket_of_a_restricted_team_climbs_at_any_priority(priority):
    (climb,) = climbs(a_wait("security", priority), after=10)
    assert climb.channel == "it-security-lead"


def test_a_team_without_a_ladder_has_nobody_to_call():
    assert climbs(a_wait("procurement"), after=9999) == []


def test_a_team_that_the_policy_no_longer_has_breaks_nothing_for_the_others():
    gone, here = a_wait("plumbing"), a_wait(id=2)
    assert [climb.ticket for climb in climbs(gone, here, after=20)] == [here]


def test_no_tickets_are_no_calls():
    assert climbs(after=9999) == []


def test_every_overdue_ticket_climbs_once_in_the_order_given():
    tickets = [a_wait(id=number) for number in (3, 1, 2)]
    assert [climb.ticket.id for climb in climbs(*tickets, after=9999)] == [3, 1, 2]


@pytest.mark.parametrize("team", [slug for slug, team in POLICY.teams.items() if team.escalation])
def test_every_ladder_of_the_real_policy_is_climbed_to_its_top(team):
    called = []
    for escalated in range(len(POLICY.teams[team].escalation) + 1):
        called += [climb.channel for climb in climbs(a_wait(team, escalated=escalated), after=60 * 24 * 7)]
    assert called == [step.channel for step in POLICY.teams[team].escalation]


@pytest.mark.parametrize(
    ("now", "due"),
    [
        pytest.param(datetime(2026, 11, 28, 22, 30, tzinfo=UTC), False, id="a day later, on Saturday"),
        pytest.param(datetime(2026, 11, 30, 12, 29, tzinfo=UTC), False, id="29 minutes into Monday"),
        pytest.param(datetime(2026, 11, 30, 12, 30, tzinfo=UTC), True, id="30 minutes into Monday"),
    ],
)
def test_minutes_of_an_office_team_do_not_pass_while_it_is_closed(now, due):
    waiting = a_wait("procurement", received_at=FRIDAY_EVENING)
    assert bool(list(overdue([waiting], now, PATIENT))) == due


def test_minutes_of_an_on_call_team_pass_all_weekend():
    waiting = a_wait("devices", received_at=FRIDAY_EVENING)
    assert list(overdue([waiting], FRIDAY_EVENING + timedelta(minutes=20), PATIENT))


waits = st.builds(
    a_wait,
    team=st.sampled_from([*POLICY.teams, "plumbing"]),
    priority=st.sampled_from(Priority),
    escalated=st.integers(0, 3),
    received_at=st.integers(0, 7 * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes)),
)
minutes = st.integers(-600, 7 * 24 * 60)
thorough = settings(deadline=None, max_examples=100, derandomize=True)


@thorough
@given(ticket=waits, passed=minutes)
def test_nobody_is_ever_called_before_the_rungs_minutes_have_passed(ticket, passed):
    for climb in overdue([ticket], ticket.received_at + timedelta(minutes=passed), POLICY):
        assert passed >= climb.minutes
        assert climb.step == ticket.escalated + 1


@thorough
@given(ticket=waits, passed=minutes, more=st.integers(0, 5000))
def test_a_rung_once_due_stays_due_until_it_is_climbed(ticket, passed, more):
    now = ticket.received_at + timedelta(minutes=passed)
    earlier = list(overdue([ticket], now, POLICY))
    assert earlier in ([], list(overdue([ticket], now + timedelta(minutes=more), POLICY)))
