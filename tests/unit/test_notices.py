"""Everybody hears what they need, in their language and in plain words, whatever was typed."""

import ast
import inspect
import string
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import POLICY, a_decision, a_ticket
from triage import decide, followups, notices
from triage.knowledge import Article, Knowledge
from triage.service import showing, steering
from triage.ticket import MAX_TEXT, Priority, Reason, Route

PERSON = "requester:nurse.sample@example.org"
NASTY = "{ref} {} {0} {x!r} %s %(ref)s %d {{ }} \\n $ref"


def an_article(language="en", **changes):
    defaults = {
        "slug": "printer-offline",
        "title": "Printer shows offline",
        "category": "printer",
        "symptoms": (),
        "minutes_saved": 10,
        "owner": "IT service desk",
        "written": "2026-11-24",
        "general": False,
        "body": "1. Turn it off and on.",
    }
    return Article(**(defaults | {"language": language} | changes))


def shelf(*found):
    return Knowledge({(article.slug, article.language): article for article in found})


KNOWLEDGE = shelf(an_article(), an_article("fr", title="Imprimante hors ligne", body="1. Red\u00e9marrez-la."))
FIX = a_decision(Route.AUTO_RESOLVE, action="guide", article="printer-offline")
DANGER = a_decision(
    Route.SECURITY, category="security_incident", team="security", priority=Priority.P1, restricted=True
)


def told(decision, *, ticket=None, knowledge=KNOWLEDGE):
    return notices.notices_for(ticket or a_ticket(), decision, POLICY, knowledge)


def answer(decision, *, knowledge=KNOWLEDGE, **ticket):
    (found,) = [n for n in told(decision, ticket=a_ticket(**ticket), knowledge=knowledge) if n.kind == "answer"]
    return found


def card(decision, **ticket):
    (found,) = [n for n in told(decision, ticket=a_ticket(**ticket)) if n.to.startswith("channel:")]
    return found


def decision_for(route):
    """Return a decision as `decide` would make it for the route."""
    return {Route.SECURITY: DANGER, Route.AUTO_RESOLVE: FIX}.get(route) or a_decision(route)


# --- reasons --------------------------------------------------------------------------


def reason_calls():
    """Return every Reason(...) in the source of the rules."""
    trees = [ast.parse(inspect.getsource(module)) for module in (decide, showing, steering)]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Reason"]
    return [call for call in made if not isinstance(call.args[0], ast.Starred)]  # those are read back, not given


def test_every_reason_in_the_rules_is_a_plain_code():
    assert reason_calls()
    assert all(isinstance(call.args[0], ast.Constant) for call in reason_calls())


def test_every_code_in_the_rules_has_wording_and_every_wording_a_code():
    assert {call.args[0].value for call in reason_calls()} == set(notices.REASONS)


def test_a_reason_whose_wording_shows_a_detail_is_always_given_one():
    bare = {call.args[0].value for call in reason_calls() if len(call.args) == 1}
    assert not [code for code in bare if "{}" in "".join(notices.REASONS[code])]


@pytest.mark.parametrize("code", notices.REASONS)
def test_a_reason_is_worded_in_both_languages_and_shows_its_detail_in_both_or_neither(code):
    english, french = notices.REASONS[code]
    assert english.strip()
    assert french.strip()
    assert english != french
    assert english.count("{}") == french.count("{}") <= 1
    assert notices.sentence(Reason(code, "d-e-t-a-i-l"), "en") == english.replace("{}", "d-e-t-a-i-l")
    assert notices.sentence(Reason(code, "d-e-t-a-i-l"), "fr") == french.replace("{}", "d-e-t-a-i-l")


@pytest.mark.parametrize("language", ["other", "de", ""])
def test_a_reason_is_english_for_any_other_language(language):
    assert notices.sentence(Reason("withheld"), language) == "masking failed, so the text is withheld"


@pytest.mark.parametrize("code", notices.REASONS)
def test_a_reason_survives_braces_and_percent_signs(code):
    shown = notices.sentence(Reason(code, NASTY))
    assert shown == notices.REASONS[code][0].replace("{}", NASTY)


# --- the answer to the reporter -------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "language", "words"),
    [
        (Route.SECURITY, "en", "you did the right thing"),
        (Route.SECURITY, "fr", "vous avez bien fait"),
        (Route.INCIDENT, "en", "We know about this one"),
        (Route.INCIDENT, "fr", "Nous connaissons"),
        (Route.AUTO_RESOLVE, "en", "Here is what usually fixes this"),
        (Route.AUTO_RESOLVE, "fr", "Voici ce qui"),
        (Route.QUEUE, "en", "You will get an answer by"),
        (Route.QUEUE, "fr", "Vous aurez une r\u00e9ponse d'ici"),
        (Route.HUMAN_REVIEW, "en", "A person at"),
        (Route.HUMAN_REVIEW, "fr", "Une personne de"),
    ],
)
def test_the_reporter_is_answered_in_their_language(route, language, words):
    found = answer(decision_for(route), language=language)
    assert (found.to, found.ref, found.language) == (PERSON, "IT-1", language)
    assert words in found.text
    assert "IT-1" in found.text


def test_every_route_has_an_answer_of_its_own_in_each_language():
    texts = {answer(decision_for(route), language=language).text for route in Route for language in ("en", "fr")}
    assert len(texts) == len(Route) * 2


@pytest.mark.parametrize("route", Route)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_answer_shows_a_gap_that_was_not_filled(route, language):
    text = answer(decision_for(route), language=language).text
    assert not [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    assert "None" not in text
    assert "?" not in text


@pytest.mark.parametrize("language", ["other", "de", "", "FR"])
@pytest.mark.parametrize("route", Route)
def test_any_other_language_is_answered_in_english(route, language):
    found = answer(decision_for(route), language=language)
    assert found.language == "en"
    assert found.text == answer(decision_for(route), language="en").text


@pytest.mark.parametrize(
    ("language", "team"), [("en", "Workplace and printing"), ("fr", "Postes de travail et impression")]
)
@pytest.mark.parametrize("route", [Route.INCIDENT, Route.QUEUE, Route.HUMAN_REVIEW])
def test_the_answer_names_the_team_in_the_reporters_language(route, language, team):
    assert team in answer(decision_for(route), language=language).text


def test_the_answer_names_the_outage():
    assert "INC-7" in answer(a_decision(Route.INCIDENT, incident="INC-7")).text


@pytest.mark.parametrize(
    ("language", "title", "step"),
    [
        ("en", "Printer shows offline", "1. Turn it off and on."),
        ("fr", "Imprimante hors ligne", "1. Red\u00e9marrez-la."),
    ],
)
def test_a_guided_fix_is_told_whole_in_the_reporters_language(language, title, step):
    text = answer(FIX, language=language).text
    assert f"{title}\n{step}" in text


def test_a_guided_fix_without_a_translation_is_told_in_english():
    assert "Turn it off and on." in answer(FIX, language="fr", knowledge=shelf(an_article())).text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_guided_fix_whose_article_is_gone_still_says_how_to_reach_a_person(language):
    text = answer(FIX, language=language, knowledge=shelf()).text
    assert ("a person takes over" if language == "en" else "une personne prend la rel\u00e8ve") in text


@pytest.mark.parametrize("decision", [DANGER, a_decision(Route.QUEUE)], ids=["security", "queue"])
def test_the_answer_repeats_nothing_of_what_was_typed(decision):
    text = answer(decision, text="a purple elephant ate 4W", unit="SAMPLE-UNIT", device="SAMPLE-TAG").text
    assert not [word for word in ("elephant", "SAMPLE-UNIT", "SAMPLE-TAG") if word in text]


@pytest.mark.parametrize("route", Route)
@pytest.mark.parametrize(
    ("language", "note"), [("en", "first 20,000 characters"), ("fr", "20 000 premiers caract\u00e8res")]
)
def test_a_cut_message_is_owned_up_to_at_the_end(route, language, note):
    cut = answer(decision_for(route), language=language, truncated=True).text
    whole = answer(decision_for(route), language=language).text
    assert cut.startswith(whole)
    assert note in cut.removeprefix(whole)


def test_the_note_about_a_cut_message_states_the_real_limit():
    assert f"{MAX_TEXT:,}" in answer(FIX, truncated=True).text


# --- dates ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "english", "french"),
    [
        (datetime(2026, 11, 24, 17, 0, tzinfo=UTC), "Nov 24, 12:00", "le 24 nov. \u00e0 12 h 00"),
        (datetime(2026, 11, 25, 4, 5, tzinfo=UTC), "Nov 24, 23:05", "le 24 nov. \u00e0 23 h 05"),
        (datetime(2026, 7, 2, 13, 9, tzinfo=UTC), "Jul 2, 09:09", "le 2 juill. \u00e0 9 h 09"),
        (datetime(2027, 1, 1, 4, 59, tzinfo=UTC), "Dec 31, 23:59", "le 31 d\u00e9c. \u00e0 23 h 59"),
        (datetime(2026, 8, 31, 4, 0, tzinfo=UTC), "Aug 31, 00:00", "le 31 ao\u00fbt \u00e0 0 h 00"),
        (datetime(2026, 12, 1, 15, 0, tzinfo=UTC), "Dec 1, 10:00", "le 1er d\u00e9c. \u00e0 10 h 00"),
    ],
    ids=["noon", "the day before in UTC", "summer time", "the year before in UTC", "midnight", "first of the month"],
)
def test_a_promise_is_told_by_the_hospitals_clock_in_each_languages_way(at, english, french):
    queued = a_decision(Route.QUEUE, respond_by=at)
    assert english in answer(queued, language="en").text
    assert french in answer(queued, language="fr").text


@pytest.mark.parametrize(
    ("month", "name"),
    [
        (1, "janv."),
        (2, "f\u00e9vr."),
        (3, "mars"),
        (4, "avr."),
        (5, "mai"),
        (6, "juin"),
        (7, "juill."),
        (8, "ao\u00fbt"),
        (9, "sept."),
        (10, "oct."),
        (11, "nov."),
        (12, "d\u00e9c."),
    ],
    ids=lambda value: "" if isinstance(value, int) else value.encode("ascii", "ignore").decode(),
)
def test_every_month_has_its_french_name(month, name):
    queued = a_decision(Route.QUEUE, respond_by=datetime(2026, month, 15, 17, 0, tzinfo=UTC))
    assert f"le 15 {name} \u00e0" in answer(queued, language="fr").text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_decision_without_a_promise_is_still_told(language):
    assert "IT-1" in answer(a_decision(Route.QUEUE, respond_by=None), language=language).text


# --- the card for the team ------------------------------------------------------------


def test_the_team_sees_what_where_how_pressing_and_why():
    found = card(a_decision(Route.QUEUE), text="labels are blank", unit="4W", device="ZBR-0042")
    assert found.to == "channel:it-workplace"
    assert found.text.splitlines() == [
        "P3 IT-1 Printing and scanning \u00b7 4W ZBR-0042",
        "labels are blank",
        "Why: the model is 97% sure of the category",
    ]


def test_the_card_is_english_even_for_a_french_ticket():
    found = card(a_decision(Route.QUEUE), text="\u00e9tiquettes vides", language="fr")
    assert found.language == "en"
    assert "Printing and scanning" in found.text


@pytest.mark.parametrize(
    ("unit", "device", "where"),
    [("4W", "ZBR-0042", "4W ZBR-0042"), ("4W", "", "4W"), ("", "ZBR-0042", "ZBR-0042"), ("", "", "-")],
    ids=["both", "unit", "device", "neither"],
)
def test_the_card_shows_the_places_that_are_known(unit, device, where):
    assert card(a_decision(), unit=unit, device=device).text.splitlines()[0].endswith(f" \u00b7 {where}")


def test_a_card_without_a_category_says_so():
    found = card(a_decision(Route.HUMAN_REVIEW, category=None, team="service_desk"))
    assert found.text.startswith("P3 IT-1 ? \u00b7")
    assert found.to == "channel:it-service-desk"


def test_a_card_gives_every_reason():
    reasons = (Reason("routed", "97%"), Reason("care_affected"), Reason("harm_cue", "code blue"))
    text = card(a_decision(reasons=reasons)).text
    assert text.endswith("; ".join(map(notices.sentence, reasons)))


def test_a_restricted_card_is_of_its_own_kind_and_goes_to_security_alone():
    found = card(DANGER)
    assert (found.kind, found.to) == ("security", "channel:it-security")


@pytest.mark.parametrize("route", [route for route in Route if route is not Route.SECURITY])
def test_no_other_notice_is_of_the_restricted_kind(route):
    assert "security" not in {notice.kind for notice in told(decision_for(route))}


# --- who is told, and once ------------------------------------------------------------


@pytest.mark.parametrize("route", [route for route in Route if route is not Route.AUTO_RESOLVE])
def test_the_reporter_and_the_team_are_told(route):
    team = POLICY.teams[decision_for(route).team].slack_channel
    assert [notice.to for notice in told(decision_for(route))] == [PERSON, f"channel:{team}"]


def test_a_guided_fix_costs_the_team_not_even_a_glance():
    assert [notice.to for notice in told(FIX)] == [PERSON]


@pytest.mark.parametrize("route", Route)
def test_somebody_is_told_even_when_nobody_knows_who_reported_it(route):
    found = told(decision_for(route), ticket=a_ticket(requester=""))
    assert found
    assert all(notice.to.startswith("channel:") for notice in found)


@pytest.mark.parametrize("route", Route)
def test_telling_the_same_ticket_again_repeats_the_same_notices(route):
    first, again = told(decision_for(route)), told(decision_for(route))
    assert first == again
    assert len({notice.key for notice in first}) == len(first)


def test_the_keys_do_not_change_between_releases():
    assert [notice.key for notice in told(DANGER)] == ["IT-1:answer", "IT-1:card"]
    assert an_escalation(step=2).key == "IT-1:escalation:2"
    assert a_reopening(turn=3).key == "IT-1:reopened:3"


def test_two_tickets_never_share_a_key():
    keys = [n.key for ref in ("IT-1", "IT-11") for n in told(DANGER, ticket=a_ticket(ref=ref))]
    assert len(set(keys)) == 4


# --- afterwards -----------------------------------------------------------------------


def an_escalation(**changes):
    defaults = {
        "step": 1,
        "channel": "it-leads",
        "minutes": 20,
        "priority": Priority.P1,
        "team": "Devices and downtime",
    }
    return followups.escalation("IT-1", **(defaults | changes))


def a_reopening(**changes):
    defaults = {"channel": "it-workplace", "priority": Priority.P4, "turn": 1, "under": "IT-1:card"}
    return followups.reopened("IT-1", **(defaults | changes))


def test_a_call_for_help_says_which_ticket_whose_and_how_long():
    found = an_escalation()
    assert (found.kind, found.to, found.ref) == ("escalation", "channel:it-leads", "IT-1")
    assert found.text.startswith("IT-1 (P1, Devices and downtime) has waited 20 minutes")


def test_each_rung_is_a_notice_of_its_own():
    assert an_escalation(step=1).key != an_escalation(step=2).key


def test_a_ticket_that_is_opened_again_is_told_to_the_team_under_its_card():
    found = a_reopening()
    assert (found.kind, found.to, found.ref, found.under) == ("reopened", "channel:it-workplace", "IT-1", "IT-1:card")
    assert found.text.startswith("P4 IT-1:")


def test_what_is_opened_a_second_time_is_told_a_second_time():
    assert a_reopening(turn=1).key != a_reopening(turn=2).key


# --- whatever was typed ---------------------------------------------------------------


@pytest.mark.parametrize("route", Route)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_braces_and_percent_signs_are_only_letters(route, language):
    ticket = a_ticket(NASTY, language=language, unit=NASTY, device=NASTY, truncated=True)
    nasty = an_article(language, title=NASTY, body=NASTY)
    found = told(decision_for(route), ticket=ticket, knowledge=shelf(nasty))
    assert all(NASTY in notice.text for notice in found if notice.kind != "answer")
    assert (NASTY in found[0].text) == (route is Route.AUTO_RESOLVE)


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("printer jams", "printer jams"),
        ("\n\n  printer jams  \nsince monday", "printer jams"),
        ("\r\nprinter jams\r\nagain", "printer jams"),
        ("", ""),
        (" \n\t\n ", ""),
        ("x" * 90, "x" * 90),
        ("x" * 91, "x" * 89 + "\u2026"),
        ("x" * 88 + " yy zz", "x" * 88 + "\u2026"),
        ("\u00e9" * 91, "\u00e9" * 89 + "\u2026"),
    ],
    ids=[
        "short",
        "first full line",
        "Windows lines",
        "empty",
        "blank",
        "just fits",
        "too long",
        "no space left",
        "accents",
    ],
)
def test_the_subject_is_the_first_line_cut_to_one_row(text, subject):
    assert notices.subject(text) == subject


@settings(deadline=None, max_examples=100, derandomize=True)
@given(text=st.text(max_size=300))
def test_a_subject_is_always_one_short_line(text):
    found = notices.subject(text)
    assert len(found) <= notices.SUBJECT_LENGTH
    assert len(found.splitlines()) <= 1


@settings(deadline=None, max_examples=60, derandomize=True)
@given(text=st.text(max_size=60), unit=st.text(max_size=20), detail=st.text(max_size=20), route=st.sampled_from(Route))
def test_no_text_at_all_can_keep_anybody_from_being_told(text, unit, detail, route):
    decision = a_decision(route, reasons=(Reason("harm_cue", detail),), article="printer-offline")
    assert len(told(decision, ticket=a_ticket(text, unit=unit))) == (1 if route is Route.AUTO_RESOLVE else 2)
