"""The pretended Slack keeps Slack's promises: a real Bolt app talks to it, over HTTP and over Socket Mode."""

import contextlib
import io
import json
import logging
import threading
import time
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from slack_bolt import App
from slack_bolt.adapter.socket_mode.builtin import SocketModeHandler as BuiltInHandler
from slack_bolt.adapter.socket_mode.websocket_client import SocketModeHandler
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from slack_server import ClientRefusal, SlackServer

SCOPES = ["chat:write", "commands", "im:history", "im:write", "users:read", "users:read.email", "app_mentions:read"]
SCOPES += ["channels:history", "channels:read", "groups:history", "reactions:write", "files:read"]
MANIFEST = {
    "display_information": {"name": "it-help"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "bot_user": {"display_name": "it-help"},
        "slash_commands": [{"command": "/it", "description": "Ask IT"}],
        "shortcuts": [
            {"name": "Ask IT about this", "type": "message", "callback_id": "file_ticket"},
            {"name": "New ticket", "type": "global", "callback_id": "new_ticket"},
        ],
    },
    "oauth_config": {"scopes": {"bot": SCOPES}},
    "settings": {
        "interactivity": {"is_enabled": True},
        "event_subscriptions": {
            "bot_events": ["message.im", "message.channels", "message.groups", "app_mention", "app_home_opened"]
        },
    },
}
NOTE = {"event_type": "note", "event_payload": {"key": "k1"}}


def words(text):
    return {"type": "plain_text", "text": text}


def button(label, action):
    return {"type": "button", "text": words(label), "action_id": action, "value": "T-1"}


def section(text):
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def actions(*elements):
    return {"type": "actions", "elements": list(elements)}


def question(name, label, **more):
    element = {"type": "plain_text_input", "action_id": "value", "max_length": 100}
    return {"type": "input", "block_id": name, "label": words(label), "element": element} | more


YES_NO = {
    "type": "radio_buttons",
    "action_id": "value",
    "options": [{"text": words("Yes"), "value": "yes"}, {"text": words("No"), "value": "no"}],
}
FORM = {
    "type": "modal",
    "callback_id": "ticket_form",
    "title": words("New ticket"),
    "submit": words("Send"),
    "close": words("Cancel"),
    "blocks": [
        question("what", "What is wrong?"),
        question("where", "Where are you?", optional=True),
        {"type": "input", "block_id": "care", "label": words("Is care affected?"), "element": YES_NO, "optional": True},
    ],
}


class Helper:
    """A small helpdesk bot: what it heard stands in `heard`."""

    def __init__(self, slack):
        self.heard = []
        log = logging.getLogger("bot.under.test")
        log.setLevel(logging.CRITICAL)
        client = WebClient(token=slack.bot_token, base_url=slack.api_url, timeout=5, retry_handlers=[])
        self.app = App(client=client, signing_secret=slack.signing_secret, logger=log)
        self.app.event("message")(self.message)
        self.app.event("app_mention")(self.mention)
        self.app.event("app_home_opened")(self.home)
        self.app.command("/it")(self.command)
        self.app.shortcut("file_ticket")(self.open_form)
        self.app.shortcut("new_ticket")(self.open_form)
        self.app.view("ticket_form")(self.submitted)
        self.app.action("ticket_fixed")(self.fixed)
        self.app.action("home_new")(self.open_form)

    def message(self, event, client, request):
        self.heard.append(event | {"retry": request.headers.get("x-slack-retry-num", ["0"])[0]})
        if event.get("subtype") or event.get("bot_id"):
            return
        blocks = [section(f"Filed: {event['text']}"), actions(button("That fixed it", "ticket_fixed"))]
        client.chat_postMessage(
            channel=event["channel"], thread_ts=event["ts"], text="Filed", blocks=blocks, metadata=NOTE
        )

    def mention(self, event):
        self.heard.append(event)

    def command(self, ack, body, client):
        if body["text"]:
            ack(f"Filed {body['text']}")
        else:
            ack()
            self.open_form(lambda: None, body, client)

    def open_form(self, ack, body, client):
        ack()
        client.views_open(trigger_id=body["trigger_id"], view=FORM)

    def submitted(self, ack, view, body, client):
        values = view["state"]["values"]
        if values["what"]["value"]["value"] == "?":
            ack(response_action="errors", errors={"what": "Please say more."})
            return
        self.heard.append(values)
        ack()
        client.chat_postMessage(channel=body["user"]["id"], text=f"Filed {values['what']['value']['value']}")

    def fixed(self, ack, body, client, respond):
        ack()
        if body["container"].get("is_ephemeral"):
            respond("Closed", replace_original=True)
            return
        at = {"channel": body["channel"]["id"], "ts": body["message"]["ts"]}
        client.chat_update(**at, text="Closed", blocks=[section("Closed by you")])

    def home(self, event, client):
        blocks = [section("Your tickets"), actions(button("New ticket", "home_new"))]
        client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

    def get_stderr(self):
        return io.StringIO()


class Threaded(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextlib.contextmanager
def over_http(slack, app):
    server = make_server("127.0.0.1", 0, SlackRequestHandler(app), server_class=Threaded, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        slack.deliver_to(f"http://127.0.0.1:{server.server_port}/slack/events", verify=True)
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def over_sockets(slack, app, handler_class=SocketModeHandler):
    handler = handler_class(app, slack.app_token, ping_interval=3)
    handler.connect()
    slack.sockets.wait_for(1)
    try:
        yield handler
    finally:  # its own close() takes 5 to 10 s
        client = handler.client
        client.auto_reconnect_enabled = client.default_auto_reconnect_enabled = False
        client.closed = True
        slack.sockets.cut()
        for runner in (client.current_session_runner, client.current_app_monitor, client.message_processor):
            runner.event.set()
        client.message_workers.shutdown()


@pytest.fixture
def slack():
    with SlackServer(MANIFEST) as slack:
        yield slack


@pytest.fixture(params=[over_http, over_sockets])
def bot(request, slack):
    helper = Helper(slack)
    with request.param(slack, helper.app):
        yield helper
        slack.settle()


@pytest.fixture
def ana(slack):
    return slack.person("Ana", email="ana@hospital.example")


@pytest.fixture
def client(slack):
    return WebClient(token=slack.bot_token, base_url=slack.api_url, timeout=5, retry_handlers=[])


def test_a_message_is_acknowledged_and_answered_in_its_thread(slack, bot, ana):
    said = ana.direct("the printer is dead")
    slack.until(lambda: len(slack.thread(ana.chat, said)) == 2)
    assert slack.thread(ana.chat, said)[1].shown == "Filed: the printer is dead\nThat fixed it"
    slack.settle()
    assert all(seconds < 3 for _, seconds in slack.acknowledgements)
    assert slack.refused == []


def test_a_slash_command_is_answered_to_the_person_alone(slack, bot, ana):
    assert ana.command("/it", "no network").answer in ("Filed no network", {"text": "Filed no network"})
    assert "Filed no network" in slack.seen_by(ana)
    assert ana.chat.messages == []


def test_a_form_is_opened_filled_and_sent(slack, bot, ana):
    ana.command("/it")
    slack.until(lambda: ana.view)
    ana.fill({"What is wrong?": "no sound", "Is care affected?": "Yes"})
    ana.submit()
    assert ana.view is None
    slack.until(lambda: "Filed no sound" in slack.seen_by(ana))
    assert bot.heard[0]["care"]["value"]["selected_option"]["value"] == "yes"
    assert slack.refused == []


def test_a_button_is_clicked_by_its_label(slack, bot, ana):
    said = ana.direct("the printer is dead")
    reply = slack.until(lambda: slack.thread(ana.chat, said)[1:])[0]
    ana.click("That fixed it", reply)
    slack.until(lambda: reply.shown == "Closed by you")
    with pytest.raises(ClientRefusal):
        ana.click("That fixed it", reply)


def test_a_form_that_comes_back_keeps_what_was_typed(slack, bot, ana):
    ana.global_shortcut("new_ticket")
    slack.until(lambda: ana.view)
    ana.fill({"What is wrong?": "?", "Where are you?": "4 West"})
    ana.submit()
    assert ana.form_errors == {"What is wrong?": "Please say more."}
    assert ana.view.values["where"]["value"]["value"] == "4 West"
    ana.cancel()
    assert ana.view is None


def test_a_message_shortcut_carries_the_message(slack, bot, ana):
    channel = slack.channel("ward", bot_in=False)
    said = ana.write(channel, "my badge <broke> & fell")
    assert said.text == "my badge &lt;broke&gt; &amp; fell"
    delivery = ana.shortcut("file_ticket", said)
    assert delivery.payload["message"]["ts"] == said.ts
    slack.until(lambda: ana.view)


def test_home_is_shown_and_its_button_opens_the_form(slack, bot, ana):
    ana.open_home()
    slack.until(lambda: ana.home)
    assert "Your tickets" in slack.seen_by(ana)
    ana.click("New ticket")
    slack.until(lambda: ana.view)


def test_only_the_person_meant_sees_an_ephemeral_message_and_its_url_replaces_it(slack, bot, ana, client):
    ben, channel = slack.person("Ben"), slack.channel("it")
    ana.join(channel)
    ben.join(channel)
    blocks = [section("Better?"), actions(button("That fixed it", "ticket_fixed"))]
    client.chat_postEphemeral(channel=channel.id, user=ana.id, text="Better?", blocks=blocks)
    assert "Better?" in slack.seen_by(ana)
    assert "Better?" not in slack.seen_by(ben)
    assert channel.messages == []
    ana.click("That fixed it", slack.seen_by(ana).only_for_them[0])
    slack.until(lambda: "Closed" in slack.seen_by(ana))


def test_a_mention_is_two_events_with_one_ts(slack, bot, ana):
    said = ana.mention(slack.channel("ward"), "the printer is dead")
    slack.until(lambda: [event["ts"] for event in bot.heard].count(said.ts) == 2)
    first, second = slack.last("message").payload, slack.last("app_mention").payload
    assert first["event_id"] != second["event_id"]


def test_a_delivery_comes_twice_when_told_to(slack, bot, ana):
    slack.deliver_twice()
    ana.direct("once")
    slack.until(lambda: len([each for each in bot.heard if each["text"] == "once"]) == 2)


def test_a_lost_acknowledgement_is_delivered_again_at_once_and_after_a_minute(slack, bot, ana):
    slack.lose_acknowledgements(2)
    ana.direct("lost")
    delivery = slack.last("message")
    slack.until(lambda: [attempt.failed for attempt in delivery.attempts if attempt.over][1:])
    slack.settle()
    slack.clock.passes(minutes=1)
    delivery.wait()
    assert [attempt.failed for attempt in delivery.attempts[:2]] == [delivery.attempts[1].reason] * 2
    assert sorted(each["retry"] for each in bot.heard if each["text"] == "lost") == ["0", "1", "2"]


def test_held_events_are_released_in_another_order(slack, bot, ana):
    slack.hold()
    for text in ("first", "second"):
        ana.direct(text)
    slack.release(*reversed(slack.held))
    slack.until(lambda: len(slack.called("chat.postMessage")) == 2)
    assert [d.payload["event"]["text"] for d in slack.deliveries if d.attempts][:2] == ["first", "second"]


def test_an_app_that_does_not_answer_in_time_is_reported(slack, bot, ana):
    slack.traffic.patience = 0.2
    bot.app.middleware(lambda next: (time.sleep(0.5), next()))  # noqa: A006 - Bolt's name
    delivery = ana.command("/it", "slow")
    assert not delivery.acknowledged
    assert slack.acknowledgements[-1] == ("/it", None)
    assert ana.told == ['/it failed with the error "operation_timeout"']
    time.sleep(0.5)


# --- HTTP alone, Socket Mode alone ----------------------------------------------------


@pytest.mark.parametrize(("how", "status"), [("genuine", 200), ("forged", 401), ("unsigned", 401), ("stale", 401)])
def test_only_slacks_own_signature_is_taken(slack, how, status):
    helper = Helper(slack)
    with over_http(slack, helper.app):
        assert slack.knock(how) == status


def test_a_cut_line_is_opened_again_and_work_goes_on(slack, ana):
    helper = Helper(slack)
    with over_sockets(slack, helper.app):
        slack.sockets.cut()
        slack.sockets.wait_for(1, opened=2)
        said = ana.direct("after the cut")
        slack.until(lambda: len(slack.thread(ana.chat, said)) == 2)


def test_a_line_told_to_leave_gets_no_more_work_and_is_closed(slack, ana):
    # By hand: websocket-client may sleep for 10 s between the old line and the new one.
    with line_to(slack) as old, line_to(slack) as new:
        slack.sockets.wait_for(2)
        slack.sockets.disconnect("refresh_requested", slack.sockets.lines[0])
        assert heard_on(old)["reason"] == "refresh_requested"
        for _ in range(2):
            ana.direct("still there?")
            envelope = heard_on(new)
            new.send(json.dumps({"envelope_id": envelope["envelope_id"]}))
        slack.settle()
        assert all(seconds is not None for _, seconds in slack.acknowledgements)
        slack.clock.passes(seconds=2)
        with pytest.raises(ConnectionClosed):
            old.recv(timeout=2)


def test_a_bot_renews_its_line_when_asked(slack, ana):
    helper = Helper(slack)
    with over_sockets(slack, helper.app, BuiltInHandler):
        slack.sockets.disconnect("refresh_requested")
        slack.sockets.wait_for(1, opened=2)
        said = ana.direct("after the refresh")
        slack.until(lambda: len(slack.thread(ana.chat, said)) == 2)
        slack.settle()


def test_a_silent_line_swallows_work_which_comes_again_on_another(slack, ana):
    helper, other = Helper(slack), Helper(slack)
    with over_sockets(slack, helper.app), over_sockets(slack, other.app):
        slack.sockets.wait_for(2)
        slack.traffic.patience = 0.3
        slack.sockets.silence(slack.sockets.lines[0])
        said = ana.direct("into silence")
        slack.until(lambda: len(slack.thread(ana.chat, said)) == 2)
        slack.settle()
        slack.sockets.cut()  # a silent line hears no goodbye


def test_two_lines_share_the_work(slack, ana):
    helper, other = Helper(slack), Helper(slack)
    with over_sockets(slack, helper.app), over_sockets(slack, other.app):
        slack.sockets.wait_for(2)
        for number in range(4):
            ana.direct(f"ticket {number}")
        slack.until(lambda: len(slack.called("chat.postMessage")) == 4)
        slack.settle()
        assert [sum("retry" in each and not each.get("bot_id") for each in h.heard) for h in (helper, other)] != [4, 0]


@contextlib.contextmanager
def line_to(slack):
    """Open a line by hand and read its hello."""
    client = WebClient(token=slack.app_token, base_url=slack.api_url)
    url = client.apps_connections_open(app_token=slack.app_token)["url"]
    with connect(url, proxy=None, compression=None, close_timeout=0.2) as line:
        assert heard_on(line)["type"] == "hello"
        yield line


def heard_on(line):
    return json.loads(line.recv(timeout=2))


def test_a_url_opens_one_line_only(slack):
    client = WebClient(token=slack.app_token, base_url=slack.api_url)
    url = client.apps_connections_open(app_token=slack.app_token)["url"]
    with connect(url, proxy=None), pytest.raises(InvalidStatus):
        connect(url, proxy=None)


def test_an_eleventh_line_is_one_too_many(slack):
    with contextlib.ExitStack() as lines:
        for _ in range(10):
            lines.enter_context(line_to(slack))
        assert heard_on(lines.enter_context(line_to(slack)))["reason"] == "too_many_websockets"


# --- what Slack refuses ---------------------------------------------------------------


def refusal(call, **arguments):
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)
    return caught.value.response


def test_blocks_beyond_a_limit_are_refused_in_slacks_shape(slack, client):
    channel = slack.channel("it")
    answer = refusal(client.chat_postMessage, channel=channel.id, text="x", blocks=[section("a" * 3001)])
    assert answer["error"] == "invalid_blocks"
    assert answer["errors"] == ["must be less than 3001 characters [json-pointer:/blocks/0/text/text]"]
    assert slack.refused[0].error == "invalid_blocks"
    assert channel.messages == []


WRONG_BLOCKS = {
    "unknown property": [section("a") | {"colour": "red"}],
    "unknown block": [{"type": "poster"}],
    "no text": [{"type": "section"}],
    "same block twice": [section("a") | {"block_id": "b"}, section("c") | {"block_id": "b"}],
    "same action twice": [actions(button("A", "a"), button("B", "a"))],
    "long label": [actions(button("A" * 76, "a"))],
    "empty label": [actions(button("", "a"))],
    "long value": [actions(button("A", "a") | {"value": "v" * 2001})],
    "odd style": [actions(button("A", "a") | {"style": "fancy"})],
    "26 actions": [actions(*(button("A", f"a{n}") for n in range(26)))],
    "51 blocks": [{"type": "divider"}] * 51,
    "no alt text": [{"type": "image", "image_url": "https://h.example/x.png"}],
    "markup in a label": [actions(button("A", "a") | {"text": {"type": "mrkdwn", "text": "A"}})],
    "101 options": [
        actions(
            {
                "type": "static_select",
                "action_id": "a",
                "options": [{"text": words(f"o{n}"), "value": f"{n}"} for n in range(101)],
            }
        )
    ],
}


@pytest.mark.parametrize("why", WRONG_BLOCKS)
def test_blocks_that_slack_would_refuse_are_refused(slack, client, why):
    answer = refusal(client.chat_postMessage, channel=slack.channel("it").id, text="x", blocks=WRONG_BLOCKS[why])
    assert answer["error"] == "invalid_blocks"


def test_too_much_text_in_all_blocks_is_refused(slack, client):
    blocks = [section("a" * 2900)] * 5
    answer = refusal(client.chat_postMessage, channel=slack.channel("it").id, text="x", blocks=blocks)
    assert answer["error"] == "msg_blocks_too_long"


@pytest.mark.parametrize(
    "change",
    [
        {"title": words("t" * 25)},
        {"submit": words("s" * 25)},
        {"private_metadata": "p" * 3001},
        {"colour": "red"},
        {"blocks": [{"type": "markdown", "text": "m"}]},
        {"blocks": [{"type": "divider"}] * 101},
    ],
)
def test_views_that_slack_would_refuse_are_refused(slack, client, ana, change):
    trigger = slack.triggers.issue(ana.id)
    answer = refusal(client.views_open, trigger_id=trigger, view=FORM | change)
    assert answer["error"] == "invalid_arguments"
    assert "[json-pointer:/view" in answer["response_metadata"]["messages"][0]


def test_a_form_with_questions_needs_something_to_send_it_with(slack, client, ana):
    view = {name: value for name, value in FORM.items() if name != "submit"}
    assert (
        refusal(client.views_open, trigger_id=slack.triggers.issue(ana.id), view=view)["error"] == "invalid_arguments"
    )


def test_a_trigger_serves_once_and_for_three_seconds(slack, client, ana):
    trigger = slack.triggers.issue(ana.id)
    view = client.views_open(trigger_id=trigger, view=FORM)["view"]
    assert refusal(client.views_open, trigger_id=trigger, view=FORM)["error"] == "exchanged_trigger_id"
    late = slack.triggers.issue(ana.id)
    slack.clock.passes(seconds=4)
    assert refusal(client.views_open, trigger_id=late, view=FORM)["error"] == "expired_trigger_id"
    assert refusal(client.views_open, trigger_id="1.2.3", view=FORM)["error"] == "invalid_trigger_id"
    client.views_update(view_id=view["id"], hash=view["hash"], view=FORM)
    stale = refusal(client.views_update, view_id=view["id"], hash=view["hash"], view=FORM)
    assert stale["error"] == "hash_conflict"


def test_three_forms_stand_on_each_other_and_no_more(slack, client, ana):
    client.views_open(trigger_id=slack.triggers.issue(ana.id), view=FORM)
    for _ in range(2):
        client.views_push(trigger_id=slack.triggers.issue(ana.id, ana.view), view=FORM)
    trigger = slack.triggers.issue(ana.id, ana.view)
    assert refusal(client.views_push, trigger_id=trigger, view=FORM)["error"] == "push_limit_reached"


def test_calls_need_the_right_place_token_and_scope(slack, client, ana):
    outside, closed = slack.channel("outside", bot_in=False), slack.channel("closed", private=True, bot_in=False)
    gone, inside = slack.channel("gone", archived=True), slack.channel("it")
    post = client.chat_postMessage
    assert refusal(post, channel=outside.id, text="x")["error"] == "not_in_channel"
    assert refusal(post, channel=closed.id, text="x")["error"] == "channel_not_found"
    assert refusal(post, channel=gone.id, text="x")["error"] == "is_archived"
    assert refusal(client.api_call, api_method="chat.postMessage", json={"channel": inside.id})["error"] == "no_text"
    assert refusal(client.conversations_join, channel=outside.id)["needed"] == "channels:join"
    assert refusal(client.conversations_list, types="private_channel")["error"] == "missing_scope"
    assert refusal(client.users_lookupByEmail, email="nobody@hospital.example")["error"] == "users_not_found"
    assert refusal(client.api_call, api_method="chat.shout")["error"] == "unknown_method"
    assert refusal(client.api_call, api_method="users.info", json={"user": ana.id})["error"] == "invalid_arguments"
    wrong = WebClient(token=slack.app_token, base_url=slack.api_url)
    assert refusal(wrong.auth_test)["error"] == "not_allowed_token_type"
    slack.revoke_tokens()
    assert refusal(client.auth_test)["error"] == "token_revoked"


def test_a_manifest_with_an_event_without_its_scope_is_refused():
    with pytest.raises(ValueError, match="app_mention needs scope app_mentions:read"):
        SlackServer(MANIFEST | {"oauth_config": {"scopes": {"bot": ["chat:write"]}}})


def test_people_cannot_do_what_slacks_client_does_not_offer(slack, client, ana):
    client.views_open(trigger_id=slack.triggers.issue(ana.id), view=FORM)
    with pytest.raises(ClientRefusal, match="required and empty"):
        ana.submit()
    with pytest.raises(ClientRefusal, match="takes 100 characters"):
        ana.fill({"What is wrong?": "w" * 101})
    with pytest.raises(ClientRefusal, match="asks no"):
        ana.fill({"Shoe size?": "42"})
    with pytest.raises(ClientRefusal, match="not a valid command"):
        ana.command("/order")
    with pytest.raises(ClientRefusal, match="is not in"):
        ana.write(slack.channel("closed", private=True), "hello")


# --- what goes wrong ------------------------------------------------------------------


def kept(slack, client, fault, **more):
    """How the call ended and how many messages exist."""
    channel = slack.channel("it")
    slack.misbehave("chat.postMessage", fault, **more)
    try:
        client.chat_postMessage(channel=channel.id, text="x")
        end = "ok"
    except SlackApiError as error:
        end = error.response.status_code
    except OSError as error:
        end = type(error).__name__
    return end, len(channel.messages)


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (429, (429, 0)),
        (500, (500, 0)),
        (502, (502, 0)),
        (503, (503, 0)),
        ("fatal_error", (200, 0)),
        ("broken_json", (200, 0)),
        ("dropped", ("RemoteDisconnected", 0)),
        ("stored_then_500", (500, 1)),
        ("stored_then_dropped", ("RemoteDisconnected", 1)),
    ],
)
def test_a_method_goes_wrong_once_as_told(slack, client, fault, end):
    assert kept(slack, client, fault) == end
    assert slack.refused == []
    assert client.chat_postMessage(channel=slack.channel("other").id, text="y")["ok"]


def test_slow_calls_end_well_and_hanging_ones_do_not(slack):
    hasty = WebClient(token=slack.bot_token, base_url=slack.api_url, timeout=1, retry_handlers=[])
    assert kept(slack, hasty, "slow", seconds=0.2) == ("ok", 1)
    assert kept(slack, hasty, "stored_then_timeout", seconds=1.5) == ("TimeoutError", 1)


def test_the_sdks_own_retry_doubles_a_message_whose_answer_was_lost(slack):
    default = WebClient(token=slack.bot_token, base_url=slack.api_url, timeout=5)
    assert kept(slack, default, "stored_then_dropped") == ("ok", 2)


# --- questions ------------------------------------------------------------------------


def test_metadata_is_found_again_when_asked_for(slack, client, ana):
    room = client.conversations_open(users=ana.id)["channel"]["id"]
    ts = client.chat_postMessage(channel=room, text="x", metadata=NOTE)["ts"]
    found = client.conversations_history(channel=room, include_all_metadata=True)["messages"][0]
    assert (found["ts"], found["metadata"]) == (ts, NOTE)
    assert "metadata" not in client.conversations_history(channel=room)["messages"][0]
    assert (
        client.conversations_replies(channel=room, ts=ts, include_all_metadata=True)["messages"][0]["metadata"] == NOTE
    )


def test_pages_of_an_answer_follow_each_other(slack, client):
    channel = slack.channel("it")
    for number in range(5):
        client.chat_postMessage(channel=channel.id, text=f"{number}")
    pages = [page["messages"] for page in client.conversations_history(channel=channel.id, limit=2)]
    assert [each["text"] for page in pages for each in page] == ["4", "3", "2", "1", "0"]


def test_slack_tells_what_was_written_anywhere_and_who_was_paged(slack, client, ana):
    channel = slack.channel("it", people=[ana])
    post = client.chat_postMessage(channel=channel.id, text="MRN 12345 <!channel>")
    client.chat_update(channel=channel.id, ts=post["ts"], text="gone")
    client.views_publish(
        user_id=ana.id, view={"type": "home", "blocks": [section("secret")], "private_metadata": "pm7"}
    )
    assert slack.anywhere("12345") == [f"message {channel.id}/{post['ts']}"]
    assert slack.anywhere("pm7")
    assert not slack.anywhere("nothing of the kind")
    assert [(how, who) for how, _, who in slack.paged] == [("channel", [ana.id])]


def test_a_shared_file_is_listed_and_can_be_asked_for(slack, client, ana):
    said = ana.upload(ana.chat, "screen.png", text="see this")
    assert client.files_info(file=said.files[0]["id"])["file"]["name"] == "screen.png"
    assert slack.last("message").payload["event"]["subtype"] == "file_share"


def test_a_response_url_serves_five_times(slack, ana):
    url = slack.urls.issue(ana.chat, ana.id)
    said = [WebhookClient(url).send(text="x").status_code for _ in range(6)]
    assert said == [200] * 5 + [404]
    assert slack.refused[0].error == "used_url"


def test_stopping_leaves_no_thread():
    before = set(threading.enumerate())
    with SlackServer(MANIFEST) as slack:
        helper = Helper(slack)
        with over_sockets(slack, helper.app):
            slack.person("Ana").direct("hello")
            slack.settle()
    left = {thread.name for thread in set(threading.enumerate()) - before if "slack-" in thread.name}
    assert left == set()
