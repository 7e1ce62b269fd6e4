"""Every rule and every route of the decision, and the safety floor under all of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import MINOR, NOON, NOT_MINOR, POLICY, a_prediction, a_ticket, impact, some_facts
from triage.decide import RULES, decide
from triage.policy import DOWNTIME_CATEGORY, NEVER_MINOR, SECURITY_CATEGORY
from triage.ticket import ClinicalImpact, Facts, Prediction, Priority, Route, Ticket

SATURDAY = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)  # noon in Toronto, the office is closed
NO_MODEL = Prediction(error="no model was trained yet")
UNSURE = a_prediction(confidence=0.4)
ABOUT_SECURITY = a_prediction(SECURITY_CATEGORY, confidence=0.4)

# A policy object that the loader would refuse: everything minor, at even odds.
LOOSE = POLICY.model_copy(
    update={
        "categories": {
            slug: category.model_copy(update={"minor": True, "threshold": 0.5, "action": "guide"})
            for slug, category in POLICY.categories.items()
        }
    }
)


def decided(*, ticket=None, prediction=None, facts=None, policy=POLICY):
    return decide(ticket or a_ticket(), prediction or a_prediction(), facts or some_facts(), policy)


def codes(decision):
    return [reason.code for reason in decision.reasons]


# --- rules ----------------------------------------------------------------------------

RULE_TABLE = [
    pytest.param(
        "security", {"facts": some_facts(security_cues=("phishing email",))}, Route.SECURITY, "security_cue", id="cue"
    ),
    pytest.param(
        "security", {"prediction": a_prediction(security=True)}, Route.SECURITY, "security_model", id="detector"
    ),
    pytest.param(
        "security", {"prediction": a_prediction(SECURITY_CATEGORY)}, Route.SECURITY, "security_model", id="sure guess"
    ),
    pytest.param(
        "maybe_security",
        {"prediction": a_prediction(maybe_security=True)},
        Route.HUMAN_REVIEW,
        "maybe_security",
        id="lower threshold",
    ),
    pytest.param(
        "maybe_security", {"prediction": ABOUT_SECURITY}, Route.HUMAN_REVIEW, "maybe_security", id="unsure guess"
    ),
    pytest.param(
        "known_incident", {"facts": some_facts(incident="INC-7")}, Route.INCIDENT, "incident_known", id="known outage"
    ),
    pytest.param(
        "known_incident", {"facts": some_facts(similar_reports=2)}, Route.INCIDENT, "incident_new", id="third report"
    ),
    pytest.param(
        "cannot_judge", {"ticket": a_ticket(withheld=True)}, Route.HUMAN_REVIEW, "withheld", id="withheld text"
    ),
    pytest.param("cannot_judge", {"ticket": a_ticket("")}, Route.HUMAN_REVIEW, "no_text", id="no text"),
    pytest.param("cannot_judge", {"prediction": NO_MODEL}, Route.HUMAN_REVIEW, "no_model", id="no model"),
    pytest.param(
        "cannot_judge",
        {"ticket": a_ticket(language="other")},
        Route.HUMAN_REVIEW,
        "language_unknown",
        id="unknown language",
    ),
    pytest.param("unsure", {"prediction": UNSURE}, Route.HUMAN_REVIEW, "unsure", id="unsure"),
    pytest.param("unsure", {"prediction": Prediction()}, Route.HUMAN_REVIEW, "unsure", id="no guess at all"),
    pytest.param(
        "unsure", {"prediction": a_prediction("plumbing")}, Route.HUMAN_REVIEW, "unsure", id="a guess not in the policy"
    ),
    pytest.param(
        "unsure", {"prediction": a_prediction(thresholds={})}, Route.HUMAN_REVIEW, "unsure", id="nothing was measured"
    ),
    pytest.param(
        "unsure",
        {"prediction": a_prediction(p_out_of_scope=0.5)},
        Route.HUMAN_REVIEW,
        "out_of_scope",
        id="likely no IT request",
    ),
    pytest.param(
        "unsure",
        {"prediction": a_prediction(p_out_of_scope=0.4, out_of_scope=True)},
        Route.HUMAN_REVIEW,
        "out_of_scope",
        id="best guess is no IT request",
    ),
    pytest.param("minor", {}, Route.AUTO_RESOLVE, "minor", id="minor and sure"),
    pytest.param("routed", {"prediction": a_prediction(NOT_MINOR)}, Route.QUEUE, "routed", id="not minor"),
    pytest.param("routed", {"prediction": a_prediction(confidence=0.6)}, Route.QUEUE, "routed", id="just sure enough"),
    pytest.param(
        "routed", {"prediction": a_prediction(confidence=0.89)}, Route.QUEUE, "routed", id="not sure enough to act"
    ),
    pytest.param("routed", {"facts": some_facts(article="")}, Route.QUEUE, "routed", id="minor without a fix"),
]


@pytest.mark.parametrize(("rule", "given_that", "route", "code"), RULE_TABLE)
def test_a_rule_decides_the_route_and_says_why(rule, given_that, route, code):
    decision = decided(**given_that)
    assert (decision.route, decision.reasons[0].code) == (route, code)


def test_every_rule_and_every_route_has_a_row_in_the_table():
    assert {row.values[0] for row in RULE_TABLE} == {rule.__name__ for rule in RULES}
    assert {row.values[2] for row in RULE_TABLE} == set(Route)


# Each row holds everything that the rows below it need as well: only the order can tell them apart.
MORE_AND_MORE_DANGER = [
    ("minor", {}, {}, {}),
    ("incident_known", {}, {}, {"incident": "INC-7"}),
    ("maybe_security", {}, {"maybe_security": True, "p_security": 0.2}, {"incident": "INC-7"}),
    ("security_model", {}, {"maybe_security": True, "security": True, "p_security": 0.8}, {"incident": "INC-7"}),
    (
        "security_cue",
        {"withheld": True, "language": "other"},
        {"maybe_security": True, "security": True, "p_out_of_scope": 0.9, "error": "broken"},
        {"incident": "INC-7", "security_cues": ("ransom note",), "similar_reports": 9, "automation_on": False},
    ),
]


@pytest.mark.parametrize(
    ("code", "ticket", "prediction", "facts"), MORE_AND_MORE_DANGER, ids=[row[0] for row in MORE_AND_MORE_DANGER]
)
def test_the_greater_harm_is_decided_first(code, ticket, prediction, facts):
    decision = decided(ticket=a_ticket(**ticket), prediction=a_prediction(**prediction), facts=some_facts(**facts))
    assert decision.reasons[0].code == code


@pytest.mark.parametrize(
    ("ticket", "prediction"),
    [
        pytest.param(a_ticket(withheld=True), NO_MODEL, id="withheld before no model"),
        pytest.param(a_ticket(""), NO_MODEL, id="no text before no model"),
        pytest.param(a_ticket(language="other"), NO_MODEL, id="no model before unknown language"),
        pytest.param(a_ticket(language="other"), UNSURE, id="unknown language before unsure"),
        pytest.param(a_ticket(), a_prediction(confidence=0.4, p_out_of_scope=0.9), id="out of scope before unsure"),
    ],
)
def test_the_reason_for_a_review_names_what_a_person_should_know_first(ticket, prediction):
    (code,) = codes(decided(ticket=ticket, prediction=prediction))
    assert code != "unsure"


@pytest.mark.parametrize(
    ("ticket", "prediction"),
    [
        pytest.param(a_ticket(), a_prediction(confidence=0.2), id="unsure"),
        pytest.param(a_ticket(), a_prediction(confidence=0.2, p_out_of_scope=0.8), id="no IT request"),
        pytest.param(a_ticket(language="other"), a_prediction(), id="unknown language"),
        pytest.param(a_ticket(withheld=True), NO_MODEL, id="withheld text"),
        pytest.param(a_ticket(), NO_MODEL, id="no model"),
        pytest.param(a_ticket(), a_prediction("plumbing"), id="a guess not in the policy"),
    ],
)
@pytest.mark.parametrize("facts", [{"incident": "INC-7"}, {"similar_reports": 9}], ids=["known", "new"])
def test_a_ticket_that_nobody_can_judge_is_read_by_a_person_even_during_an_outage(ticket, prediction, facts):
    decision = decided(ticket=ticket, prediction=prediction, facts=some_facts(**facts))
    assert decision.route is Route.HUMAN_REVIEW


def test_every_security_cue_is_named():
    decision = decided(facts=some_facts(security_cues=("ransom note", "malware")), prediction=NO_MODEL)
    assert [reason.detail for reason in decision.reasons] == ["ransom note", "malware"]


def test_the_detector_and_the_cues_are_both_named():
    decision = decided(
        facts=some_facts(security_cues=("malware",)), prediction=a_prediction(security=True, p_security=0.8)
    )
    assert [(reason.code, reason.detail) for reason in decision.reasons] == [
        ("security_cue", "malware"),
        ("security_model", "80%"),
    ]


@pytest.mark.parametrize(
    ("before", "route"),
    [(0, Route.AUTO_RESOLVE), (1, Route.AUTO_RESOLVE), (2, Route.INCIDENT), (40, Route.INCIDENT)],
    ids=["first report", "second report", "third report", "many reports"],
)
def test_the_policys_number_of_similar_reports_makes_an_incident(before, route):
    assert decided(facts=some_facts(similar_reports=before)).route is route


def test_a_ticket_that_joins_an_outage_says_which():
    assert decided(facts=some_facts(incident="INC-7")).incident == "INC-7"


def test_a_security_ticket_never_shows_in_an_outage():
    decision = decided(facts=some_facts(incident="INC-7", security_cues=("malware",)))
    assert (decision.route, decision.incident) == (Route.SECURITY, "")


def test_an_abstaining_decision_has_no_category_but_keeps_the_guesses():
    decision = decided(prediction=UNSURE)
    assert decision.category is None
    assert decision.top[0] == (MINOR, 0.4)


def test_a_guided_fix_names_its_action_and_its_article():
    decision = decided(facts=some_facts(article="printer-offline"))
    assert (decision.action, decision.article) == ("guide", "printer-offline")


@pytest.mark.parametrize(
    "given_that",
    [row.values[1] for row in RULE_TABLE if row.values[2] is not Route.AUTO_RESOLVE],
    ids=[row.id for row in RULE_TABLE if row.values[2] is not Route.AUTO_RESOLVE],
)
def test_only_a_guided_fix_has_an_action_or_an_article(given_that):
    decision = decided(**given_that)
    assert (decision.action, decision.article) == ("", "")


def test_a_decision_says_which_model_and_which_policy_made_it():
    decision = decided(prediction=a_prediction(model_version="m-9", words=(("jam", 1.5),)))
    assert (decision.model_version, decision.policy_hash) == ("m-9", POLICY.hash)
    assert decision.words == (("jam", 1.5),)


def test_a_decision_keeps_three_guesses_at_most():
    top = tuple((slug, 0.99 if slug == MINOR else 0.001) for slug in POLICY.categories)
    assert decided(prediction=a_prediction(top=top)).top == top[:3]


# --- acting alone ---------------------------------------------------------------------

OBJECTIONS = [
    pytest.param({"facts": some_facts(harm_cues=("code blue",))}, "harm_cue", id="harm words"),
    pytest.param({"prediction": a_prediction(maybe_harm=True, p_harm=0.3)}, "harm_model", id="harm detector"),
    pytest.param({"facts": some_facts(identity_cues=("password",))}, "identity_cue", id="identity words"),
    pytest.param({"facts": some_facts(outage_cues=("outage",))}, "outage_cue", id="outage words"),
    pytest.param({"ticket": a_ticket(impact=impact(affects_care=True))}, "care_affected", id="care is affected"),
    pytest.param({"ticket": a_ticket(impact=impact(whole_unit=True))}, "whole_unit", id="the whole unit"),
    pytest.param({"facts": some_facts(automation_on=False)}, "automation_off", id="automation is off"),
]


@pytest.mark.parametrize(("given_that", "code"), OBJECTIONS)
def test_each_objection_alone_sends_a_minor_ticket_to_the_team(given_that, code):
    decision = decided(**given_that)
    assert decision.route is Route.QUEUE
    assert code in codes(decision)


def test_all_objections_are_named_not_only_the_first():
    decision = decided(
        ticket=a_ticket(impact=impact(affects_care=True, whole_unit=True)),
        prediction=a_prediction(maybe_harm=True),
        facts=some_facts(
            harm_cues=("stat", "code blue"), identity_cues=("pin",), outage_cues=("outage",), automation_on=False
        ),
    )
    assert codes(decision)[1:9] == [
        "harm_cue",
        "harm_cue",
        "identity_cue",
        "outage_cue",
        "harm_model",
        "care_affected",
        "whole_unit",
        "automation_off",
    ]


@pytest.mark.parametrize(
    "answers",
    [impact(affects_care=False, other_device=False, whole_unit=False), impact(other_device=True), impact()],
    ids=["all no", "another device", "not asked"],
)
def test_harmless_answers_do_not_keep_a_minor_ticket_from_its_fix(answers):
    assert decided(ticket=a_ticket(impact=answers)).route is Route.AUTO_RESOLVE


def test_words_about_many_people_alone_do_not_keep_a_minor_ticket_from_its_fix():
    assert decided(facts=some_facts(wide_cues=("everyone",))).route is Route.AUTO_RESOLVE


@pytest.mark.parametrize(
    ("confidence", "measured", "promised", "route"),
    [
        (0.90, 0.90, 0.70, Route.AUTO_RESOLVE),
        (0.89, 0.90, 0.70, Route.QUEUE),
        (0.90, 0.60, 0.90, Route.AUTO_RESOLVE),
        (0.89, 0.60, 0.90, Route.QUEUE),
        (1.00, 1.01, 0.70, Route.QUEUE),
    ],
    ids=["at the model's", "under the model's", "at the policy's", "under the policy's", "the model proved nothing"],
)
def test_the_higher_of_the_models_and_the_policys_threshold_counts(confidence, measured, promised, route):
    printer = POLICY.categories[MINOR].model_copy(update={"threshold": promised})
    policy = POLICY.model_copy(update={"categories": {**POLICY.categories, MINOR: printer}})
    prediction = a_prediction(confidence=confidence, thresholds={"route": 0.5, f"auto:{MINOR}": measured})
    assert decided(prediction=prediction, policy=policy).route is route


def test_a_category_that_the_hospital_does_not_call_minor_is_never_answered_alone():
    printer = POLICY.categories[MINOR].model_copy(update={"minor": False})
    policy = POLICY.model_copy(update={"categories": {**POLICY.categories, MINOR: printer}})
    assert decided(policy=policy).route is Route.QUEUE


def test_a_category_whose_threshold_was_never_measured_is_never_answered_alone():
    decision = decided(prediction=a_prediction(confidence=1.0, thresholds={"route": 0.5}))
    assert decision.route is Route.QUEUE


# --- priority -------------------------------------------------------------------------

CARE, OTHER, UNIT = {"affects_care": True}, {"other_device": True}, {"whole_unit": True}


@pytest.mark.parametrize(
    ("category", "answers", "priority"),
    [
        pytest.param("printer", {}, "P4", id="low urgency, one person"),
        pytest.param("network_connectivity", {}, "P3", id="medium urgency, one person"),
        pytest.param("device_downtime", {}, "P2", id="high urgency, one person"),
        pytest.param("printer", CARE, "P2", id="low urgency, care affected"),
        pytest.param("network_connectivity", CARE, "P2", id="medium urgency, care affected"),
        pytest.param("device_downtime", CARE, "P2", id="high urgency, care affected"),
        pytest.param("printer", OTHER, "P4", id="low urgency, another device"),
        pytest.param("network_connectivity", OTHER, "P3", id="medium urgency, another device"),
        pytest.param("device_downtime", OTHER, "P3", id="high urgency, another device"),
        pytest.param("printer", CARE | OTHER, "P3", id="low urgency, care affected, another device"),
        pytest.param("device_downtime", CARE | OTHER, "P2", id="high urgency, care affected, another device"),
        pytest.param("printer", UNIT, "P3", id="low urgency, whole unit"),
        pytest.param("network_connectivity", UNIT, "P2", id="medium urgency, whole unit"),
        pytest.param("device_downtime", UNIT, "P1", id="high urgency, whole unit"),
        pytest.param("printer", UNIT | CARE, "P1", id="whole unit, care affected"),
        pytest.param("printer", UNIT | CARE | OTHER, "P2", id="whole unit, care affected, another device"),
        pytest.param("device_downtime", UNIT | OTHER, "P2", id="high urgency, whole unit, another device"),
        pytest.param("printer", {"affects_care": False, "whole_unit": False}, "P4", id="all no"),
        pytest.param("device_downtime", {"other_device": False}, "P2", id="no other device"),
    ],
)
def test_the_reporters_answers_set_the_priority(category, answers, priority):
    decision = decided(ticket=a_ticket(impact=impact(**answers)), prediction=a_prediction(category))
    assert decision.priority == priority


@pytest.mark.parametrize(
    ("category", "facts", "answers", "priority"),
    [
        pytest.param("printer", {"harm_cues": ("stat",)}, {}, "P2", id="harm words"),
        pytest.param("printer", {"harm_cues": ("stat",)}, {"affects_care": False}, "P2", id="harm words beat a no"),
        pytest.param("device_downtime", {"harm_cues": ("stat",)}, OTHER, "P2", id="harm words beat another device"),
        pytest.param("printer", {"wide_cues": ("everyone",)}, {}, "P3", id="many people"),
        pytest.param("printer", {"wide_cues": ("everyone",)}, {"whole_unit": False}, "P4", id="only me beats words"),
        pytest.param("printer", {"outage_cues": ("outage",)}, {}, "P3", id="outage words"),
        pytest.param("printer", {"outage_cues": ("outage",)}, {"whole_unit": False}, "P3", id="outage words beat a no"),
        pytest.param("device_downtime", {"outage_cues": ("outage",)}, {}, "P1", id="a system is down for all"),
        pytest.param("printer", {"incident": "INC-7"}, {}, "P3", id="joins a small outage"),
        pytest.param("network_connectivity", {"similar_reports": 2}, {}, "P2", id="makes a new outage"),
        pytest.param("device_downtime", {"incident": "INC-7"}, {}, "P1", id="joins a system outage"),
        pytest.param("device_downtime", {"incident": "INC-7"}, OTHER, "P1", id="a system outage beats another device"),
        pytest.param("printer", {"outage_cues": ("outage",), "harm_cues": ("stat",)}, {}, "P1", id="outage and harm"),
        pytest.param("printer", {"security_cues": ("malware",)}, OTHER, "P1", id="danger"),
    ],
)
def test_what_the_world_says_sets_the_priority(category, facts, answers, priority):
    decision = decided(
        ticket=a_ticket(impact=impact(**answers)), prediction=a_prediction(category), facts=some_facts(**facts)
    )
    assert decision.priority == priority


def test_the_harm_detector_makes_a_ticket_urgent_without_any_word():
    assert decided(prediction=a_prediction(maybe_harm=True, p_harm=0.3)).priority is Priority.P2


@pytest.mark.parametrize(
    ("ticket", "prediction", "priority"),
    [
        pytest.param(a_ticket(), UNSURE, "P3", id="unsure"),
        pytest.param(a_ticket(), NO_MODEL, "P3", id="no model"),
        pytest.param(a_ticket(impact=impact(**CARE)), NO_MODEL, "P2", id="no model, care affected"),
        pytest.param(a_ticket(impact=impact(**UNIT)), NO_MODEL, "P2", id="no model, whole unit"),
        pytest.param(a_ticket(impact=impact(**CARE, **UNIT)), NO_MODEL, "P1", id="no model, both"),
    ],
)
def test_a_ticket_without_a_category_counts_as_medium_urgent(ticket, prediction, priority):
    assert decided(ticket=ticket, prediction=prediction).priority == priority


@pytest.mark.parametrize(
    ("prediction", "facts"),
    [
        pytest.param(a_prediction(), some_facts(harm_cues=("code blue",)), id="harm words"),
        pytest.param(a_prediction(maybe_harm=True, p_harm=0.3), some_facts(), id="harm detector"),
    ],
)
def test_another_device_does_not_make_harm_less_urgent_even_when_care_is_affected(prediction, facts):
    ticket = a_ticket(impact=impact(affects_care=True, other_device=True))
    assert decided(ticket=ticket, prediction=prediction, facts=facts).priority is Priority.P2


@pytest.mark.parametrize(
    ("answers", "facts", "reason"),
    [
        pytest.param(UNIT, {}, ("impact_unit", "answer"), id="whole unit"),
        pytest.param({}, {"wide_cues": ("everyone", "all of us")}, ("impact_unit", "everyone"), id="many people"),
        pytest.param(CARE, {}, ("urgency_care", "answer"), id="care affected"),
        pytest.param({}, {"harm_cues": ("stat",)}, ("urgency_care", "stat"), id="harm words"),
        pytest.param(CARE | OTHER, {}, ("urgency_workaround", ""), id="another device"),
        pytest.param({}, {"outage_cues": ("outage",)}, ("outage_cue", "outage"), id="outage words"),
    ],
)
def test_what_moved_the_priority_is_among_the_reasons(answers, facts, reason):
    decision = decided(ticket=a_ticket(impact=impact(**answers)), facts=some_facts(**facts))
    assert reason in [(found.code, found.detail) for found in decision.reasons]


@pytest.mark.parametrize("prediction", [UNSURE, NO_MODEL], ids=["unsure", "no model"])
def test_outage_words_that_raise_the_priority_of_a_review_are_among_the_reasons(prediction):
    calm = decided(prediction=prediction)
    raised = decided(prediction=prediction, facts=some_facts(outage_cues=("whole hospital",)))
    assert raised.priority < calm.priority
    assert "whole hospital" in [reason.detail for reason in raised.reasons]


def test_a_plain_ticket_has_no_reason_for_its_priority():
    assert codes(decided(prediction=a_prediction(NOT_MINOR))) == ["routed"]


# --- team and promises ----------------------------------------------------------------


@pytest.mark.parametrize("slug", [slug for slug in POLICY.categories if slug != SECURITY_CATEGORY])
def test_a_sure_ticket_goes_to_its_categorys_team(slug):
    decision = decided(prediction=a_prediction(slug), facts=some_facts(article=""))
    assert (decision.team, decision.category) == (POLICY.categories[slug].team, slug)
    assert not decision.restricted


def test_a_danger_goes_to_the_security_team_restricted_whatever_the_category():
    decision = decided(facts=some_facts(security_cues=("malware",)))
    assert (decision.team, decision.category, decision.restricted) == ("security", SECURITY_CATEGORY, True)


@pytest.mark.parametrize(
    "prediction",
    [UNSURE, NO_MODEL, ABOUT_SECURITY, a_prediction(p_out_of_scope=0.9)],
    ids=["unsure", "no model", "maybe security", "out of scope"],
)
def test_a_review_goes_to_the_review_team(prediction):
    assert decided(prediction=prediction).team == "service_desk"


def test_a_restricted_team_makes_any_of_its_tickets_restricted():
    devices = POLICY.teams["devices"].model_copy(update={"restricted": True})
    policy = POLICY.model_copy(update={"teams": {**POLICY.teams, "devices": devices}})
    assert decided(prediction=a_prediction(DOWNTIME_CATEGORY), policy=policy).restricted


def test_a_promise_around_the_clock_counts_every_minute():
    decision = decided(ticket=a_ticket(received_at=SATURDAY), prediction=a_prediction(NOT_MINOR))
    assert decision.priority is Priority.P3
    assert decision.respond_by == SATURDAY + timedelta(minutes=240)
    assert decision.resolve_by == SATURDAY + timedelta(minutes=1440)


def test_a_promise_of_an_office_team_counts_its_opening_hours():
    decision = decided(ticket=a_ticket(received_at=NOON, impact=impact(whole_unit=True)))  # P3, open until 18:00
    assert decision.respond_by == datetime(2026, 11, 24, 21, 0, tzinfo=UTC)
    assert decision.resolve_by == datetime(2026, 11, 26, 19, 0, tzinfo=UTC)


def test_a_weekend_ticket_of_an_office_team_starts_on_monday_at_opening():
    decision = decided(ticket=a_ticket(received_at=SATURDAY, impact=impact(whole_unit=True)))
    assert decision.respond_by == datetime(2026, 11, 23, 16, 0, tzinfo=UTC)


def test_security_answers_within_minutes_on_a_holiday_night():
    christmas = datetime(2026, 12, 25, 7, 30, tzinfo=UTC)
    decision = decided(ticket=a_ticket(received_at=christmas), facts=some_facts(security_cues=("malware",)))
    assert decision.respond_by == christmas + timedelta(minutes=POLICY.sla[Priority.P1].respond)


# --- the floor, over anything ---------------------------------------------------------

slugs = st.sampled_from([*POLICY.categories, "plumbing"])
chances = st.floats(0, 1) | st.just(float("nan"))
phrases = st.lists(st.sampled_from(["code blue", "outage", "{x}", "%s"]), max_size=2).map(tuple)
purposes = st.sampled_from(["route", *(f"auto:{slug}" for slug in POLICY.categories)])
answers_of_any_kind = st.builds(ClinicalImpact, *[st.none() | st.booleans()] * 3)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds must be naive

any_ticket = st.builds(
    Ticket,
    ref=st.just("IT-1"),
    text=st.text(max_size=20),
    channel=st.just("test"),
    received_at=moments,
    requester=st.sampled_from(["", "nurse.sample@example.org"]),
    language=st.sampled_from(["en", "fr", "other", "de", ""]),
    impact=answers_of_any_kind,
    withheld=st.booleans(),
    truncated=st.booleans(),
)
any_prediction = st.builds(
    Prediction,
    top=st.lists(st.tuples(slugs, chances), max_size=3).map(tuple),
    p_out_of_scope=chances,
    p_security=chances,
    p_harm=chances,
    security=st.booleans(),
    maybe_security=st.booleans(),
    maybe_harm=st.booleans(),
    out_of_scope=st.booleans(),
    thresholds=st.dictionaries(purposes, st.floats(0, 1.01)),
    error=st.sampled_from(["", "", "broken"]),
)
any_facts = st.builds(
    Facts,
    security_cues=phrases,
    harm_cues=phrases,
    identity_cues=phrases,
    outage_cues=phrases,
    wide_cues=phrases,
    incident=st.sampled_from(["", "INC-7"]),
    similar_reports=st.integers(0, 5),
    article=st.sampled_from(["", "printer-first-checks"]),
    automation_on=st.booleans(),
)
# Anything at all seldom comes near acting alone; these do unless something keeps them from it.
tempting = st.tuples(
    st.builds(a_ticket, received_at=moments, language=st.sampled_from(["en", "fr"])),
    st.builds(a_prediction, st.sampled_from(sorted(POLICY.categories)), st.floats(0.9, 1)),
    st.builds(some_facts, wide_cues=phrases),
)
any_case = st.tuples(any_ticket, any_prediction, any_facts) | tempting
thorough = settings(deadline=None, max_examples=60, derandomize=True)


def unless(case, *, ticket=None, prediction=None, facts=None):
    """Return the case with some of its fields as told."""
    return replace(case[0], **ticket or {}), replace(case[1], **prediction or {}), replace(case[2], **facts or {})


DANGERS = [
    pytest.param({"facts": {"security_cues": ("malware",)}}, id="cue"),
    pytest.param({"prediction": {"security": True}}, id="detector"),
]


@pytest.mark.parametrize("danger", DANGERS)
@thorough
@given(case=any_case)
def test_nothing_can_suppress_a_danger(danger, case):
    decision = decide(*unless(case, **danger), POLICY)
    assert (decision.route, decision.priority) == (Route.SECURITY, Priority.P1)
    assert (decision.team, decision.restricted) == (POLICY.security_team, True)


FLOOR = [
    *DANGERS,
    pytest.param({"prediction": {"maybe_security": True}}, id="maybe a danger"),
    pytest.param({"facts": {"harm_cues": ("code blue",)}}, id="harm words"),
    pytest.param({"prediction": {"maybe_harm": True}}, id="harm detector"),
    pytest.param({"facts": {"identity_cues": ("password",)}}, id="identity words"),
    pytest.param({"facts": {"outage_cues": ("outage",)}}, id="outage words"),
    pytest.param({"ticket": {"impact": impact(affects_care=True)}}, id="care is affected"),
    pytest.param({"ticket": {"impact": impact(whole_unit=True)}}, id="the whole unit"),
    pytest.param({"ticket": {"withheld": True}}, id="withheld text"),
    pytest.param({"ticket": {"text": ""}}, id="no text"),
    pytest.param({"ticket": {"language": "other"}}, id="unknown language"),
    pytest.param({"prediction": {"error": "broken"}}, id="an error"),
    pytest.param({"prediction": {"top": ()}}, id="no guess"),
    pytest.param({"prediction": {"thresholds": {}}}, id="no threshold"),
    pytest.param({"prediction": {"top": ((MINOR, float("nan")),)}}, id="a confidence that is no number"),
    pytest.param({"prediction": {"out_of_scope": True}}, id="no IT request"),
    pytest.param({"facts": {"automation_on": False}}, id="automation is off"),
    pytest.param({"facts": {"article": ""}}, id="no fix"),
    *(pytest.param({"prediction": {"top": ((slug, 1.0),)}}, id=slug) for slug in sorted(NEVER_MINOR)),
]


@pytest.mark.parametrize("fact", FLOOR)
@pytest.mark.parametrize("policy", [POLICY, LOOSE], ids=["the real policy", "a policy that calls everything minor"])
@settings(thorough, max_examples=20)
@given(case=any_case)
def test_one_fact_of_the_floor_is_enough_to_need_a_person(fact, policy, case):
    assert decide(*unless(case, **fact), policy).route is not Route.AUTO_RESOLVE


@thorough
@given(case=tempting)
def test_without_any_fact_of_the_floor_a_minor_ticket_is_answered_alone(case):
    category = case[1].category
    expected = category not in NEVER_MINOR
    assert (decide(*case, LOOSE).route is Route.AUTO_RESOLVE) == expected


@thorough
@given(case=any_case)
def test_an_answer_without_a_person_is_always_a_sure_minor_one_with_a_fix(case):
    decision = decide(*case, POLICY)
    if decision.route is Route.AUTO_RESOLVE:
        category = POLICY.categories[decision.category]
        assert category.minor
        assert decision.confidence >= category.threshold
        assert decision.article
        assert decision.action == category.action


@thorough
@given(case=any_case)
def test_the_same_case_always_gets_the_same_decision(case):
    # As text, because a confidence that is no number does not equal itself.
    assert repr(decide(*case, POLICY)) == repr(decide(*case, POLICY))


@thorough
@given(case=any_case)
def test_every_decision_has_a_reason_a_known_team_and_promises_after_the_start(case):
    decision = decide(*case, POLICY)
    assert decision.reasons
    assert decision.team in POLICY.teams
    assert decision.restricted == POLICY.teams[decision.team].restricted
    assert case[0].received_at < decision.respond_by <= decision.resolve_by


@thorough
@given(case=any_case)
def test_only_a_ticket_of_an_outage_names_one(case):
    decision = decide(*case, POLICY)
    assert decision.incident == "" or decision.route is Route.INCIDENT


@pytest.mark.parametrize("answer", ["affects_care", "whole_unit"])
@thorough
@given(case=any_case)
@example(case=(a_ticket(impact=impact(other_device=True)), a_prediction(), some_facts(harm_cues=("stat",))))
def test_a_yes_never_makes_a_ticket_less_pressing_than_a_no(answer, case):
    priorities = [
        decide(*unless(case, ticket={"impact": replace(case[0].impact, **{answer: said})}), POLICY).priority
        for said in (True, False)
    ]
    assert priorities == sorted(priorities)
