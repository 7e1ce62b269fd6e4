"""Who must be told after a breach and by when: each law asks for its own, and an unknown risk is a serious one."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.breach import LAWS, RISKS, Duty, duties

TUESDAY = date(2026, 11, 24)
SOON = date(2027, 1, 23)  # sixty days later
YEARLY = date(2027, 3, 1)  # sixty days after the year, and the first of March too
PERSONS = Duty("hipaa", "persons", SOON)
MEDIA = Duty("hipaa", "media", SOON)
HIPAA_FEW = (PERSONS, Duty("hipaa", "HHS", YEARLY))
HIPAA_500 = (PERSONS, Duty("hipaa", "HHS", SOON))
HIPAA_MANY = (*HIPAA_500, MEDIA)
PHIPA = (Duty("phipa", "persons", None), Duty("phipa", "commissioner", None), Duty("phipa", "count", YEARLY))
LAW25 = (Duty("law25", "commission", None), Duty("law25", "persons", None))


@pytest.mark.parametrize(
    ("law", "persons", "risk", "asked"),
    [
        ("hipaa", None, "unknown", HIPAA_FEW),
        ("hipaa", 0, "unknown", HIPAA_FEW),
        ("hipaa", 1, "unknown", HIPAA_FEW),
        ("hipaa", 499, "unknown", HIPAA_FEW),
        ("hipaa", 500, "unknown", HIPAA_500),
        ("hipaa", 501, "unknown", HIPAA_MANY),
        ("hipaa", None, "serious", HIPAA_FEW),
        ("hipaa", 499, "serious", HIPAA_FEW),
        ("hipaa", 500, "serious", HIPAA_500),
        ("hipaa", 501, "serious", HIPAA_MANY),
        ("hipaa", 1_000_000, "serious", HIPAA_MANY),
        ("hipaa", None, "low", ()),
        ("hipaa", 499, "low", ()),
        ("hipaa", 500, "low", ()),
        ("hipaa", 501, "low", ()),
        ("phipa", None, "unknown", PHIPA),
        ("phipa", 499, "unknown", PHIPA),
        ("phipa", 501, "unknown", PHIPA),
        ("phipa", None, "serious", PHIPA),
        ("phipa", 500, "serious", PHIPA),
        ("phipa", None, "low", PHIPA),
        ("phipa", 501, "low", PHIPA),
        ("law25", None, "unknown", LAW25),
        ("law25", 501, "unknown", LAW25),
        ("law25", None, "serious", LAW25),
        ("law25", 499, "serious", LAW25),
        ("law25", None, "low", ()),
        ("law25", 501, "low", ()),
    ],
)
def test_each_law_asks_for_its_own(law, persons, risk, asked):
    assert duties(TUESDAY, persons, risk, [law]) == asked


@pytest.mark.parametrize(
    ("aware", "soon", "yearly"),
    [
        (date(2026, 1, 1), date(2026, 3, 2), date(2027, 3, 1)),
        (date(2026, 6, 30), date(2026, 8, 29), date(2027, 3, 1)),
        (date(2026, 11, 1), date(2026, 12, 31), date(2027, 3, 1)),
        (date(2026, 11, 2), date(2027, 1, 1), date(2027, 3, 1)),
        (date(2026, 12, 31), date(2027, 3, 1), date(2027, 3, 1)),
        (date(2027, 1, 1), date(2027, 3, 2), date(2028, 2, 29)),
        (date(2027, 12, 31), date(2028, 2, 29), date(2028, 2, 29)),
        (date(2028, 1, 1), date(2028, 3, 1), date(2029, 3, 1)),
        (date(2028, 2, 28), date(2028, 4, 28), date(2029, 3, 1)),
        (date(2028, 2, 29), date(2028, 4, 29), date(2029, 3, 1)),
        (date(2028, 12, 31), date(2029, 3, 1), date(2029, 3, 1)),
        (date(2099, 12, 31), date(2100, 3, 1), date(2100, 3, 1)),
    ],
    ids=[
        "first of January",
        "summer",
        "the last day that ends within its year",
        "the first that ends in the next",
        "last of December",
        "first of January before a leap year",
        "last of December before a leap year",
        "first of January of a leap year",
        "the day before a leap day",
        "a leap day",
        "last of December of a leap year",
        "before a year by hundred that does not leap",
    ],
)
def test_hipaa_counts_sixty_days_from_awareness_and_from_the_end_of_the_year(aware, soon, yearly):
    few = {duty.whom: duty.by for duty in duties(aware, 499, "serious", ["hipaa"])}
    many = {duty.whom: duty.by for duty in duties(aware, 501, "serious", ["hipaa"])}
    assert few == {"persons": soon, "HHS": yearly}
    assert many == {"persons": soon, "HHS": soon, "media": soon}


@pytest.mark.parametrize(
    ("aware", "count"),
    [
        (date(2026, 1, 1), date(2027, 3, 1)),
        (date(2026, 3, 1), date(2027, 3, 1)),
        (date(2026, 12, 31), date(2027, 3, 1)),
        (date(2027, 1, 1), date(2028, 3, 1)),
        (date(2027, 12, 31), date(2028, 3, 1)),
        (date(2028, 2, 29), date(2029, 3, 1)),
    ],
    ids=[
        "first of January",
        "on the day of the last count",
        "last of December",
        "a year later",
        "before a leap year",
        "a leap day",
    ],
)
def test_phipa_counts_the_year_by_the_first_of_march_after_it(aware, count):
    assert {duty.whom: duty.by for duty in duties(aware, 1, "low", ["phipa"])}["count"] == count


@pytest.mark.parametrize("law", ["", "HIPAA", "gdpr", "hipaa ", "Law 25"])
def test_an_unknown_law_asks_for_nothing(law):
    assert duties(TUESDAY, 501, "serious", [law]) == ()


def test_an_unknown_law_does_not_hide_the_known_ones():
    assert duties(TUESDAY, 501, "serious", ["gdpr", "law25"]) == LAW25


def test_without_a_law_nobody_must_be_told():
    assert duties(TUESDAY, 501, "serious", []) == ()


@pytest.mark.parametrize(
    ("laws", "asked"),
    [
        (["hipaa", "phipa", "law25"], (*HIPAA_MANY, *PHIPA, *LAW25)),
        (["law25", "phipa", "hipaa"], (*LAW25, *PHIPA, *HIPAA_MANY)),
        (iter(["phipa", "law25"]), (*PHIPA, *LAW25)),
        (LAWS, (*HIPAA_MANY, *PHIPA, *LAW25)),
    ],
    ids=["in order", "in another order", "any iterable", "all there are"],
)
def test_several_laws_ask_for_the_sum_in_the_order_given(laws, asked):
    assert duties(TUESDAY, 501, "unknown", laws) == asked


def test_where_the_risk_is_low_only_ontario_asks():
    assert duties(TUESDAY, 501, "low", LAWS) == PHIPA


@pytest.mark.parametrize(
    ("duty", "code"),
    [(PERSONS, "hipaa:persons"), (HIPAA_500[1], "hipaa:HHS"), (PHIPA[2], "phipa:count")],
    ids=["persons", "HHS", "count"],
)
def test_a_duty_has_a_name_for_the_register(duty, code):
    assert duty.code == code


numbers = st.one_of(st.none(), st.integers(0, 2000))
days = st.dates(date(2020, 1, 1), date(2120, 12, 31))
thorough = settings(deadline=None, max_examples=100, derandomize=True)


@thorough
@given(days, numbers, st.sampled_from(RISKS))
def test_no_two_duties_share_a_name(aware, persons, risk):
    codes = [duty.code for duty in duties(aware, persons, risk, LAWS)]
    assert len(codes) == len(set(codes))


@thorough
@given(days, numbers)
def test_an_unknown_risk_asks_for_as_much_as_a_serious_one(aware, persons):
    assert duties(aware, persons, "unknown", LAWS) == duties(aware, persons, "serious", LAWS)


@thorough
@given(days, numbers, st.sampled_from(RISKS))
def test_every_day_lies_after_awareness_and_at_most_fourteen_months_later(aware, persons, risk):
    known = [duty.by for duty in duties(aware, persons, risk, LAWS) if duty.by]
    assert all(aware < day <= aware + timedelta(days=366 + 60) for day in known)


@thorough
@given(days, st.integers(0, 2000), st.integers(0, 2000))
def test_more_persons_never_mean_fewer_or_later_duties(aware, one, other):
    few, many = sorted((one, other))
    by = {duty.code: duty.by for duty in duties(aware, many, "serious", ["hipaa"])}
    assert all(by[duty.code] <= duty.by for duty in duties(aware, few, "serious", ["hipaa"]))
