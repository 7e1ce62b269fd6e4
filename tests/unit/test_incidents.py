"""A ticket joins the outage it reports, the closest one, and never somebody else's."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import a_ticket
from triage.incidents import Incident, known
from triage.policy import SECURITY_CATEGORY

DOWN = "device_downtime"


def an_incident(number=1, category=DOWN, unit="", device=""):
    return Incident(number, category, unit, device)


SITE = an_incident(1)
ICU = an_incident(2, unit="ICU")
CART = an_incident(3, unit="ICU", device="WS-0042")


@pytest.mark.parametrize(
    ("unit", "device", "incident", "joins"),
    [
        pytest.param("ICU", "WS-0042", CART, True, id="same device"),
        pytest.param("ER", "WS-0042", CART, True, id="same device, moved to another unit"),
        pytest.param("", "WS-0042", CART, True, id="same device, unit not told"),
        pytest.param("ICU", "WS-0001", CART, False, id="another device of the unit"),
        pytest.param("ICU", "", CART, False, id="device not told"),
        pytest.param("ICU", "", ICU, True, id="same unit"),
        pytest.param("ICU", "WS-0042", ICU, True, id="a device of the unit"),
        pytest.param("ER", "", ICU, False, id="another unit"),
        pytest.param("", "", ICU, False, id="unit not told"),
        pytest.param("", "WS-0042", ICU, False, id="device of nobody knows where"),
        pytest.param("ER", "WS-0001", SITE, True, id="the whole site, from somewhere"),
        pytest.param("", "", SITE, True, id="the whole site, from nowhere"),
    ],
)
def test_a_ticket_joins_an_outage_of_its_device_its_unit_or_its_site(unit, device, incident, joins):
    found = known(a_ticket(unit=unit, device=device), DOWN, [incident])
    assert found == (incident if joins else None)


@pytest.mark.parametrize("incidents", [[SITE, ICU, CART], [CART, ICU, SITE], [ICU, CART, SITE]], ids=str)
@pytest.mark.parametrize(
    ("unit", "device", "expected"),
    [("ICU", "WS-0042", CART), ("ICU", "WS-0001", ICU), ("ER", "WS-0001", SITE)],
    ids=["device", "unit", "site"],
)
def test_the_most_specific_outage_is_joined_whatever_the_order(incidents, unit, device, expected):
    assert known(a_ticket(unit=unit, device=device), DOWN, incidents) == expected


def test_of_two_equal_outages_the_first_given_is_joined():
    newer, older = an_incident(9, unit="ICU"), an_incident(4, unit="ICU")
    assert known(a_ticket(unit="ICU"), DOWN, [newer, older]) == newer


def test_an_outage_of_another_kind_is_not_joined():
    assert known(a_ticket(unit="ICU"), "network_connectivity", [ICU]) is None


def test_an_outage_of_another_kind_does_not_hide_the_right_one():
    wifi = an_incident(8, "network_connectivity", unit="ICU", device="WS-0042")
    assert known(a_ticket(unit="ICU", device="WS-0042"), DOWN, [wifi, SITE]) == SITE


@pytest.mark.parametrize("category", [None, ""], ids=["none", "empty"])
def test_a_ticket_without_a_category_joins_nothing(category):
    assert known(a_ticket(unit="ICU"), category, [SITE, ICU, CART]) is None


def test_without_open_outages_there_is_nothing_to_join():
    assert known(a_ticket(unit="ICU"), DOWN, []) is None


def test_outages_may_come_as_any_iterable():
    assert known(a_ticket(unit="ICU"), DOWN, iter([ICU])) == ICU


places = st.sampled_from(["", "ICU", "ER", "4W"])
tags = st.sampled_from(["", "WS-0042", "WS-0001"])
kinds = st.sampled_from([DOWN, "network_connectivity", SECURITY_CATEGORY])
outages = st.lists(st.builds(Incident, st.integers(1, 99), kinds, places, tags), max_size=6)
thorough = settings(deadline=None, max_examples=100, derandomize=True)


@thorough
@given(unit=places, device=tags, incidents=outages)
def test_a_security_ticket_never_joins_anything(unit, device, incidents):
    assert known(a_ticket(unit=unit, device=device), SECURITY_CATEGORY, incidents) is None


@thorough
@given(unit=places, device=tags, category=kinds, incidents=outages)
def test_what_is_joined_is_of_the_same_kind_and_place(unit, device, category, incidents):
    found = known(a_ticket(unit=unit, device=device), category, incidents)
    if found:
        assert found in incidents
        assert found.category == category
        assert found.device in ("", device)
        assert found.device or found.unit in ("", unit)


@thorough
@given(unit=places, device=tags, incidents=outages)
def test_an_outage_of_the_whole_site_is_always_joined_if_nothing_is_closer(unit, device, incidents):
    assert known(a_ticket(unit=unit, device=device), DOWN, [*incidents, SITE]) is not None
