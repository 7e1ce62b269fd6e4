"""Owns which blocks, elements and views Slack takes and the limits of each; refuses the rest in Slack's words."""

import json

from slack_server.screen import options_of
from slack_server.shapes import Problems, anything, boolean, by_type, items, number, one_of, plain, shape, string, text

ID, LONG_TEXT, ALL_TEXT, VIEW_BYTES = string(255), 3000, 13_200, 250_000

_option = shape({"text": text(75), "value": string(150)}, {"description": text(75), "url": string(3000)})
_confirm = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)
_common = {"action_id": ID, "confirm": _confirm, "focus_on_load": boolean}
_hinted = _common | {"placeholder": plain(150)}
_groups = items(shape({"label": plain(75), "options": items(_option, 100)}), 100)
_listed = {"options": items(_option, 100), "option_groups": _groups}
_many = {"max_selected_items": number(1, 100)}
_dispatch = {"dispatch_action_config": anything}
_typed = {"action_id": ID, "placeholder": plain(150), "focus_on_load": boolean} | _dispatch
_length = {"min_length": number(0, 3000), "max_length": number(1, 3000)}

BUTTON = {
    "button": shape(
        {"text": plain(75)},
        {"action_id": ID, "value": string(2000), "url": string(3000), "confirm": _confirm}
        | {"style": one_of("primary", "danger"), "accessibility_label": string(75)},
    )
}
SELECTS = {
    "static_select": shape({}, _hinted | _listed | {"initial_option": _option}),
    "external_select": shape({}, _hinted | {"min_query_length": number(0, 100), "initial_option": _option}),
    "users_select": shape({}, _hinted | {"initial_user": string(20)}),
    "channels_select": shape({}, _hinted | {"initial_channel": string(20), "response_url_enabled": boolean}),
    "conversations_select": shape(
        {},
        _hinted
        | {"initial_conversation": string(20), "default_to_current_conversation": boolean}
        | {"response_url_enabled": boolean, "filter": anything},
    ),
    "multi_static_select": shape({}, _hinted | _listed | _many | {"initial_options": items(_option, 100)}),
    "multi_users_select": shape({}, _hinted | _many | {"initial_users": items(string(20), 100)}),
}
CHOICES = {
    "checkboxes": shape({"options": items(_option, 10)}, _common | {"initial_options": items(_option, 10)}),
    "radio_buttons": shape({"options": items(_option, 10)}, _common | {"initial_option": _option}),
    "datepicker": shape({}, _hinted | {"initial_date": string(10)}),
    "timepicker": shape({}, _hinted | {"initial_time": string(5), "timezone": string(50)}),
    "datetimepicker": shape({}, _common | {"initial_date_time": number(0, 9_999_999_999)}),
}
OVERFLOW = {"overflow": shape({"options": items(_option, 5)}, {"action_id": ID, "confirm": _confirm})}
TYPED = {
    "plain_text_input": shape({}, _typed | _length | {"multiline": boolean, "initial_value": string(3000, 0)}),
    "email_text_input": shape({}, _typed | {"initial_value": string(3000, 0)}),
    "url_text_input": shape({}, _typed | {"initial_value": string(3000, 0)}),
    "number_input": shape(
        {"is_decimal_allowed": boolean},
        _typed | {"initial_value": string(100, 0), "min_value": string(50), "max_value": string(50)},
    ),
    "file_input": shape({}, {"action_id": ID, "filetypes": anything, "max_files": number(1, 10)}),
}
IMAGE = {"image": shape({"alt_text": string(2000)}, {"image_url": string(3000), "slack_file": anything})}
ACTIVE = BUTTON | SELECTS | CHOICES | OVERFLOW

_id = {"block_id": ID}
_in_context = by_type(IMAGE | {kind: text(LONG_TEXT, kinds=(kind,)) for kind in ("plain_text", "mrkdwn")})
BLOCKS = {
    "section": shape(
        {},
        _id
        | {"text": text(LONG_TEXT), "fields": items(text(2000), 10), "accessory": by_type(ACTIVE | IMAGE)}
        | {"expand": boolean},
    ),
    "header": shape({"text": plain(150)}, _id),
    "divider": shape({}, _id),
    "context": shape({"elements": items(_in_context, 10)}, _id),
    "actions": shape({"elements": items(by_type(ACTIVE), 25)}, _id),
    "image": shape(
        {"alt_text": string(2000)}, _id | {"image_url": string(3000), "slack_file": anything, "title": plain(2000)}
    ),
    "input": shape(
        {"label": plain(2000), "element": by_type(TYPED | SELECTS | CHOICES)},
        _id | {"hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "markdown": shape({"text": string(12_000)}, _id),
    "rich_text": shape({"elements": items(anything, 1000)}, _id),
    "table": shape({"rows": items(items(anything, 20), 100)}, _id | {"column_settings": items(anything, 20)}),
}  # fmt: skip
NOT_IN_VIEWS = ("markdown", "table")
VIEWS = {
    "modal": shape(
        {"title": plain(24), "blocks": anything},
        {"submit": plain(24), "close": plain(24), "private_metadata": string(3000, 0), "callback_id": string(255, 0)}
        | {"external_id": string(255, 0), "clear_on_close": boolean, "notify_on_close": boolean}
        | {"submit_disabled": boolean},
    ),
    "home": shape(
        {"blocks": anything},
        {"private_metadata": string(3000, 0), "callback_id": string(255, 0), "external_id": string(255, 0)},
    ),
}


def problems_of_blocks(blocks, place="/blocks", most=50, without=()):
    """Return what Slack finds wrong with blocks; nothing when it takes them."""
    problems = Problems()
    items(by_type({k: rule for k, rule in BLOCKS.items() if k not in without}), most, 0)(blocks, place, problems)
    if problems:
        return problems
    for index, block in enumerate(blocks):
        _beyond_shape(block, f"{place}/{index}", problems)
    _unique([block.get("block_id") for block in blocks], "block_id", place, problems)
    if sum(len(block["text"]) for block in blocks if block["type"] == "markdown") > 12_000:
        problems.note("must be less than 12001 characters", place)
    return problems


def _beyond_shape(block, place, problems):
    if block["type"] == "section" and not (block.get("text") or block.get("fields")):
        problems.note("missing required field: text", place)
    parts = [*(block.get("elements") or []), *(block[n] for n in ("accessory", "element") if n in block)]
    if block["type"] in ("actions", "section", "input"):
        _unique([part.get("action_id") for part in parts], "action_id", place, problems)
        for part in parts:
            _element(part, place, problems)
    for part in [block, *parts]:
        if part.get("type") == "image" and not (part.get("image_url") or part.get("slack_file")):
            problems.note("missing required field: image_url", place)


def _element(part, place, problems):
    if "static_select" in part["type"] and ("options" in part) == ("option_groups" in part):
        problems.note("must provide either options or option_groups", place)
    if part.get("initial_option") and part["type"] != "external_select":
        _known(part["initial_option"], part, place, problems)
    for option in part.get("initial_options") or []:
        _known(option, part, place, problems)
    if part["type"] not in ("overflow", "button"):
        _unique([each["value"] for each in options_of(part)], "option value", place, problems)
    if len(part.get("initial_value") or "") > part.get("max_length", 3000):
        problems.note(f"must be less than {part['max_length'] + 1} characters", f"{place}/element/initial_value")
    if ":" not in part.get("url", ":"):
        problems.note("must be a valid URL", f"{place}/url")


def _known(option, part, place, problems):
    if option not in options_of(part):
        problems.note("initial_option must exactly match one of the options", place)


def _unique(names, kind, place, problems):
    given = [name for name in names if name]
    for name in sorted({name for name in given if given.count(name) > 1}):
        problems.note(f"`{kind}` `{name}` already exists", place)


def length_of_text(blocks):
    """Return how many characters of text blocks hold."""
    return sum(len(each["text"]) for each in _texts(blocks))


def _texts(part):
    if isinstance(part, list):
        for each in part:
            yield from _texts(each)
    elif isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part
        for each in part.values():
            yield from _texts(each)


def problems_of_view(view, kind):
    """Return what Slack finds wrong with a view; nothing when it takes it."""
    problems = Problems()
    if not isinstance(view, dict) or view.get("type") not in VIEWS:
        problems.note("unsupported type", "/view/type")
        return problems
    if view["type"] != kind:
        problems.note(f"must be a {kind} view", "/view/type")
    VIEWS[view["type"]](view, "/view", problems)
    found = problems_of_blocks(view.get("blocks"), "/view/blocks", 100, NOT_IN_VIEWS)
    problems += found
    if not found and kind == "modal" and "submit" not in view and any(b["type"] == "input" for b in view["blocks"]):
        problems.note("missing required field: submit", "/view")
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        problems.note("must be less than 250 kB", "/view")
    return problems
