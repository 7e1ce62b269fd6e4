"""Owns what Slack refuses before a method runs: token, scope, arguments, text, blocks, metadata; in Slack's shapes."""

import json
import re
from dataclasses import dataclass, field

from slack_server.blocks import ALL_TEXT, length_of_text, problems_of_blocks, problems_of_view

CHANNEL_SCOPES = {"channel": "channels", "group": "groups", "im": "im"}
NESTED = ("blocks", "attachments", "metadata", "view")  # JSON inside a form


class Refusal(Exception):  # noqa: N818 - it is Slack's answer, not a mistake of the server
    """Slack answers that it will not; `answer` is what it sends."""

    def __init__(self, error, *messages, **more):
        super().__init__(error, *messages)
        self.answer = {"ok": False, "error": error} | more
        if messages:
            self.answer["response_metadata"] = {"messages": [f"[ERROR] {each}" for each in messages]}


@dataclass(frozen=True)
class Rule:
    """What a method asks for."""

    required: tuple = ()
    scope: str = ""
    json: bool = True  # whether a JSON body is read
    token: str = "xoxb"


RULES = {
    "auth.test": Rule(),
    "apps.connections.open": Rule(token="xapp"),
    "chat.postMessage": Rule(("channel",), "chat:write"),
    "chat.update": Rule(("channel", "ts"), "chat:write"),
    "chat.delete": Rule(("channel", "ts"), "chat:write"),
    "chat.postEphemeral": Rule(("channel", "user"), "chat:write"),
    "chat.getPermalink": Rule(("channel", "message_ts"), json=False),
    "conversations.open": Rule((), "im:write"),
    "conversations.info": Rule(("channel",), json=False),
    "conversations.list": Rule((), json=False),
    "conversations.history": Rule(("channel",)),
    "conversations.replies": Rule(("channel", "ts"), json=False),
    "conversations.join": Rule(("channel",), "channels:join"),
    "conversations.members": Rule(("channel",), json=False),
    "users.info": Rule(("user",), "users:read", json=False),
    "users.lookupByEmail": Rule(("email",), "users:read.email", json=False),
    "users.list": Rule((), "users:read", json=False),
    "views.open": Rule(("trigger_id", "view")),
    "views.push": Rule(("trigger_id", "view")),
    "views.update": Rule(("view",)),
    "views.publish": Rule(("user_id", "view")),
    "reactions.add": Rule(("name", "channel", "timestamp"), "reactions:write"),
    "reactions.remove": Rule(("name",), "reactions:write"),
    "files.info": Rule(("file",), "files:read", json=False),
}


@dataclass
class Request:
    """One call as it arrived."""

    method: str
    token: str | None
    arguments: dict = field(default_factory=dict)
    as_json: bool = False


def check_request(request, app):
    """Refuse an unknown method, a wrong token, a missing scope or argument."""
    rule = RULES.get(request.method)
    if rule is None:
        raise Refusal("unknown_method", req_method=request.method)
    _check_token(request.token, rule, app)
    if rule.scope:
        need_scope(app, rule.scope)
    if request.as_json and not rule.json:
        request.arguments = {}  # Slack reads no JSON here
    missing = [name for name in rule.required if request.arguments.get(name) in (None, "")]
    if missing:
        raise Refusal("invalid_arguments", *(f"missing required field: {name}" for name in missing))
    _read_nested(request.arguments)


def _check_token(token, rule, app):
    if not token:
        raise Refusal("not_authed")
    if token not in (app.bot_token, app.app_token):
        raise Refusal("invalid_auth")
    if app.revoked:
        raise Refusal("token_revoked")
    if not token.startswith(rule.token):
        raise Refusal("not_allowed_token_type")


def need_scope(app, *scopes):
    """Refuse unless the manifest grants every scope."""
    if missing := [scope for scope in scopes if scope not in app.scopes]:
        raise Refusal("missing_scope", needed=",".join(missing), provided=",".join(sorted(app.scopes)))


def need_scope_for(app, channel, right):
    """Refuse unless the manifest grants a right, such as `history`, in this kind of channel."""
    need_scope(app, f"{CHANNEL_SCOPES[channel.kind]}:{right}")


def _read_nested(arguments):
    for name in NESTED:
        if isinstance(arguments.get(name), str):
            try:
                arguments[name] = json.loads(arguments[name])
            except ValueError:
                wrong = {"blocks": "invalid_blocks_format", "metadata": "invalid_metadata_format"}
                raise Refusal(wrong.get(name, "invalid_arguments")) from None


def flag(arguments, name):
    """Return a yes or no, which forms spell in several ways."""
    return arguments.get(name) in (True, 1, "1", "true", "True")


def count(arguments, name, default, most):
    """Return a number of things asked for."""
    given = str(arguments.get(name) or default)
    if not given.isdigit() or not 1 <= int(given) <= most:
        raise Refusal("invalid_arguments", f"must be an integer from 1 to {most} [json-pointer:/{name}]")
    return int(given)


def check_blocks(blocks):
    """Refuse blocks of a message."""
    if blocks in (None, []):
        return
    if problems := problems_of_blocks(blocks):
        raise Refusal("invalid_blocks", *problems, errors=list(problems))
    if length_of_text(blocks) > ALL_TEXT:
        raise Refusal("msg_blocks_too_long")


def check_view(view, kind):
    """Refuse a view."""
    if problems := problems_of_view(view, kind):
        raise Refusal("invalid_arguments", *problems)


def check_metadata(metadata):
    """Refuse metadata that is not an event's name and its values."""
    if metadata is None:
        return
    name = metadata.get("event_type") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", name):
        raise Refusal("invalid_metadata_schema")
    if not isinstance(metadata.get("event_payload"), dict) or set(metadata) > {"event_type", "event_payload"}:
        raise Refusal("invalid_metadata_schema")
    if len(json.dumps(metadata)) > 16_384:
        raise Refusal("metadata_too_large")


def check_words(arguments, most=None):
    """Refuse a message that says nothing, or more than `most` characters."""
    text = arguments.get("text") or ""
    if not isinstance(text, str):
        raise Refusal("invalid_arguments", "must be a string [json-pointer:/text]")
    if not text and not arguments.get("blocks") and not arguments.get("attachments"):
        raise Refusal("no_text")
    if most and len(text) > most:
        raise Refusal("msg_too_long")
    check_blocks(arguments.get("blocks"))
    check_metadata(arguments.get("metadata"))
    attachments = arguments.get("attachments") or []
    if not isinstance(attachments, list):
        raise Refusal("invalid_attachments")
    if len(attachments) > 100:
        raise Refusal("too_many_attachments")
    for attachment in attachments:
        check_blocks(attachment.get("blocks"))
