"""From Slack's payloads to messages: what is a request, whose words they are, and under which id they are unique."""

import pytest

from bot import inbound, text
from triage.ticket import ClinicalImpact

NURSE = "nurse.sample@example.org"
DM = {"type": "message", "channel_type": "im", "user": "U1", "channel": "D1", "ts": "1700000000.000100", "text": "x"}
MENTION = {"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1700000000.000100", "text": "<@UBOT> x"}


@pytest.mark.parametrize(
    "event",
    [
        DM,
        MENTION,
        DM | {"subtype": "file_share"},
        DM | {"thread_ts": DM["ts"]},
        MENTION | {"thread_ts": "1699999999.000100"},
    ],
)
def test_a_direct_message_or_a_mention_is_a_request(event):
    assert inbound.is_request(event)


@pytest.mark.parametrize(
    "event",
    [
        DM | {"bot_id": "B1"},
        DM | {"subtype": "message_changed"},
        DM | {"subtype": "message_deleted"},
        DM | {"subtype": "channel_join"},
        DM | {"user": None},
        DM | {"thread_ts": "1699999999.000100"},
        DM | {"channel_type": "channel"},
        {"type": "app_home_opened", "user": "U1"},
        {},
    ],
)
def test_what_is_no_new_request_is_left_alone(event):
    assert not inbound.is_request(event)


def test_a_reply_in_a_thread_is_told_from_a_request():
    assert inbound.is_reply(DM | {"thread_ts": "1699999999.000100"})
    assert not inbound.is_reply(DM)
    assert not inbound.is_reply(DM | {"thread_ts": "1699999999.000100", "bot_id": "B1"})


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("<@UBOT> label printer dead", "label printer dead"),
        ("see <https://example.org|the page>", "see the page"),
        ("mail <mailto:a@example.org|a@example.org>", "mail a@example.org"),
        ("1 &lt; 2 &amp; 3", "1 < 2 & 3"),
        ("<!channel> all down", "all down"),
    ],
)
def test_words_reach_it_as_they_were_meant(said, meant):
    assert inbound.from_event(DM | {"text": said}, NURSE).raw_text == meant


def test_files_are_named():
    message = inbound.from_event(DM | {"text": "see", "files": [{"name": "screen.png"}, {}]}, NURSE)
    assert message.raw_text == "see\n[screen.png]"


def test_a_mention_heard_twice_is_one_message():
    first, second = (inbound.from_event(e, NURSE) for e in (MENTION, MENTION | {"type": "message"}))
    assert (
        (first.channel, first.external_id) == (second.channel, second.external_id) == ("slack", "C1:1700000000.000100")
    )


def test_a_command_and_a_form_have_ids_of_their_own():
    assert inbound.from_command({"text": " a ", "trigger_id": "T1"}, NURSE).external_id == "command:T1"
    values = {
        "what": {"value": {"value": "dead"}},
        "where": {"value": {"value": None}},
        "device": {"value": {"value": "LP-1"}},
        "care": {"value": {"selected_option": {"value": "yes"}}},
    }
    message = inbound.from_form({"id": "V1", "state": {"values": values}}, NURSE)
    assert (message.external_id, message.raw_text, message.unit, message.device) == ("view:V1", "dead", "", "LP-1")
    assert message.impact == ClinicalImpact(affects_care=True)


@pytest.mark.parametrize("chosen", [None, {"value": "maybe"}])
def test_an_answer_that_was_not_given_is_none(chosen):
    view = {"id": "V1", "state": {"values": {"care": {"value": {"selected_option": chosen}}}}}
    assert inbound.from_form(view, NURSE).impact == ClinicalImpact()


def test_nobody_is_paged_by_what_somebody_wrote():
    assert text.escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


@pytest.mark.parametrize(
    "text", ["", "  ", ":thumbsup:", ":+1::skin-tone-2: :tada:", "\U0001f64f", "???", ":man-shrugging: !"]
)
def test_a_text_without_a_word_says_nothing(text):
    assert inbound.says_nothing(text)


@pytest.mark.parametrize("text", ["x", ":fire: pc on fire", "4W", "é", "[photo.png]"])
def test_a_text_with_a_word_says_something(text):
    assert not inbound.says_nothing(text)


def test_the_answer_to_a_mention_in_a_thread_goes_to_that_thread():
    message = inbound.from_event(MENTION | {"thread_ts": "1699999999.000100"}, NURSE)
    assert inbound.is_place(message.external_id)
    assert inbound.channel_and_thread(message.external_id) == ("C1", "1699999999.000100")
    assert inbound.channel_and_thread(inbound.from_event(DM, NURSE).external_id) == ("D1", DM["ts"])


@pytest.mark.parametrize("external_id", ["command:1.2.abc", "view:V1", ""])
def test_what_a_command_or_a_form_made_has_no_place(external_id):
    assert not inbound.is_place(external_id)


CHANGED = {"type": "message", "subtype": "message_changed", "channel": "D1", "message": DM | {"edited": {"ts": "2"}}}
DELETED = {"type": "message", "subtype": "message_deleted", "channel": "D1", "previous_message": DM}


def test_a_persons_change_is_one_and_a_link_preview_or_a_bots_is_none():
    assert inbound.is_change(CHANGED)
    assert not inbound.is_change(CHANGED | {"message": DM})
    assert not inbound.is_change(CHANGED | {"message": CHANGED["message"] | {"bot_id": "B1"}})
    assert not inbound.is_change(DM)


def test_a_persons_deletion_is_one_and_a_bots_is_none():
    assert inbound.is_deletion(DELETED)
    assert not inbound.is_deletion(DELETED | {"previous_message": DM | {"bot_id": "B1"}})
    assert not inbound.is_deletion(DM)
