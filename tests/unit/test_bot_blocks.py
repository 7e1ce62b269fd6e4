"""What Slack shows stays within its limits whatever people write, and speaks both languages."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot import blocks, outbound, words
from bot.clicks import ACTIONS
from builders import POLICY

BOT = Path(blocks.__file__).parent
MANIFEST = json.loads((BOT / "manifest.json").read_text("utf-8"))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.text(min_size=0, max_size=50))
@pytest.mark.parametrize("times", [1, 1000])
def test_a_section_has_one_to_three_thousand_characters(times, text):
    length = len(blocks.section(text * times)["text"]["text"])
    assert 1 <= length <= 3000


def test_what_somebody_wrote_is_escaped():
    assert "<!channel>" not in json.dumps(blocks.answer("<!channel> printer", "IT-1", "en"))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_form_asks_four_things_and_never_the_category(language):
    form = blocks.form(language, "x" * 5000)
    assert [block["block_id"] for block in form["blocks"]] == ["what", "where", "device", "care"]
    assert [block["optional"] for block in form["blocks"]] == [False, True, True, True]
    assert len(form["blocks"][0]["element"]["initial_value"]) == 3000
    assert all(len(form[part]["text"]) <= 24 for part in ("title", "submit", "close"))


def test_the_form_has_the_labels_people_script_against():
    labels = [block["label"]["text"] for block in blocks.form("en")["blocks"]]
    assert labels == ["What is wrong?", "Where are you?", "Device tag", "Is patient care affected?"]


LABELS = {slug: category.label.en for slug, category in POLICY.categories.items()}
CHOICES = blocks.Choices(LABELS, {slug: team.label.en for slug, team in POLICY.teams.items()}, "https://it.example")


def elements(card):
    return {part["action_id"]: part for block in card if block["type"] == "actions" for part in block["elements"]}


def test_a_card_offers_every_category_and_every_team():
    shown = elements(blocks.card("P3 IT-1", "IT-1", CHOICES, blocks.Handles()))
    for name, labels in (("ticket_correct", LABELS), ("ticket_hand_over", POLICY.teams)):
        assert [option["value"] for option in shown[name]["options"]] == [f"IT-1|{slug}" for slug in labels]
        assert all(len(option["text"]["text"]) <= 75 for option in shown[name]["options"])
    assert shown["ticket_open"]["url"] == "https://it.example/t/IT-1"


def test_a_card_offers_what_can_be_done_now():
    assert "ticket_claim" not in elements(blocks.card("", "IT-1", CHOICES, blocks.Handles(taken=True)))
    assert set(elements(blocks.card("", "IT-1", CHOICES, blocks.Handles(is_open=False)))) == {"ticket_open"}
    security = elements(blocks.card("", "IT-1", CHOICES, blocks.Handles(security=True)))
    assert security["ticket_claim"]["text"]["text"] == "Acknowledge"


def test_every_button_that_is_shown_is_listened_to():
    shown = set(elements(blocks.card("", "IT-1", CHOICES, blocks.Handles())))
    names = ("fixed", "not_fixed", "reopen", "new", *outbound._IMPACT, *outbound._RATINGS)
    shown |= {blocks.button(name, "IT-1", "en")["action_id"] for name in names}
    assert shown == ACTIONS


def test_every_sentence_speaks_both_languages_and_names_the_same_things():
    for english, french in {**words.SENTENCES, **words.LABELS}.values():
        assert english != french
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", french))


def test_every_sentence_is_said_somewhere():
    code = " ".join(path.read_text("utf-8") for path in BOT.glob("*.py") if path.name != "words.py")
    unsaid = [
        name for name in words.SENTENCES if f'"{name}"' not in code and not name.startswith(("button_", "state_"))
    ]
    assert unsaid == []


def test_the_manifest_has_what_the_bot_listens_to():
    assert MANIFEST["features"]["slash_commands"][0]["command"] == "/it"
    assert {shortcut["callback_id"] for shortcut in MANIFEST["features"]["shortcuts"]} == {"file_ticket", "new_ticket"}
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == {
        "app_home_opened",
        "app_mention",
        "message.channels",
        "message.groups",
        "message.im",
    }
    assert MANIFEST["features"]["app_home"]["messages_tab_read_only_enabled"] is False
