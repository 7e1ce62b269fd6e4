"""Owns what a person types and chooses in a form; refuses what Slack's own client would not take."""

import re

from slack_server.screen import STATEFUL, options_of

TYPED = ("plain_text_input", "email_text_input", "url_text_input", "number_input")
DATES = {"datepicker": "date", "timepicker": "time", "datetimepicker": "date_time"}
PICKS = {"users_select": "user", "conversations_select": "conversation", "channels_select": "channel"}
LONGEST = 3000  # characters of an input without a limit of its own


class ClientRefusal(AssertionError):  # noqa: N818 - it is the client that refuses, not the server that errs
    """Slack's own client would not let a person do this."""


def first_values(blocks):
    """Return what stands in a form before anybody types, in the shape of `view.state.values`."""
    values = {}
    for block in blocks:
        parts = [block.get("element"), block.get("accessory")]
        parts += block.get("elements") or [] if block.get("type") == "actions" else []
        for part in parts:
            if isinstance(part, dict) and (value := _first(part)):
                values.setdefault(block["block_id"], {})[part["action_id"]] = value
    return values


def _first(part):
    kind = part.get("type", "")
    if kind in TYPED:
        return {"type": kind, "value": part.get("initial_value") or None}
    if kind in ("checkboxes", "multi_static_select"):
        return {"type": kind, "selected_options": part.get("initial_options") or []}
    if kind in PICKS or kind in DATES:
        name = PICKS.get(kind) or DATES[kind]
        return {"type": kind, f"selected_{name}": part.get(f"initial_{name}")}
    if kind in STATEFUL:
        return {"type": kind, "selected_option": part.get("initial_option")}
    return None


def fill(view, label, given):
    """Type or choose something in the input with this label."""
    block = input_named(view, label)
    element = block["element"]
    view.values[block["block_id"]][element["action_id"]] = _value(element, given, label)


def input_named(view, label):
    """Return the input block with this label."""
    inputs = [block for block in view.content["blocks"] if block["type"] == "input"]
    for block in inputs:
        if block["label"]["text"] == label:
            return block
    raise ClientRefusal(f"the form asks no {label!r}; it asks {[each['label']['text'] for each in inputs]}")


def _value(element, given, label):
    kind = element["type"]
    if kind in TYPED:
        return {"type": kind, "value": _typed(element, given, label) or None}
    if kind in ("checkboxes", "multi_static_select"):
        return {"type": kind, "selected_options": [_option(element, each, label) for each in given]}
    if kind in PICKS or kind in DATES:
        return {"type": kind, f"selected_{PICKS.get(kind) or DATES[kind]}": getattr(given, "id", given)}
    if kind in STATEFUL:
        return {"type": kind, "selected_option": None if given is None else _option(element, given, label)}
    raise ClientRefusal(f"nobody knows how to fill {kind}")


def _typed(element, given, label):
    given = given or ""
    most = element.get("max_length", LONGEST)
    if len(given) > most:
        raise ClientRefusal(f"{label!r} takes {most} characters, not {len(given)}")
    if given and len(given) < element.get("min_length", 0):
        raise ClientRefusal(f"{label!r} wants {element['min_length']} characters, not {len(given)}")
    if "\n" in given and not element.get("multiline"):
        raise ClientRefusal(f"{label!r} takes one line")
    shapes = {"email_text_input": r"[^@\s]+@[^@\s]+\.\w+", "url_text_input": r"https?://\S+",
              "number_input": r"-?\d+(\.\d+)?"}  # fmt: skip
    if given and element["type"] in shapes and not re.fullmatch(shapes[element["type"]], given):
        raise ClientRefusal(f"{label!r} does not take {given!r}")
    return given


def _option(element, given, label):
    found = options_of(element)
    for option in found:
        if option["text"]["text"] == given:
            return option
    raise ClientRefusal(f"{label!r} does not offer {given!r} but {[each['text']['text'] for each in found]}")


def check_complete(view):
    """Refuse to send a form with a required field left empty."""
    if "submit" not in view.content:
        raise ClientRefusal("this form has nothing to send it with")
    for block in view.content["blocks"]:
        if block["type"] != "input" or block.get("optional"):
            continue
        value = view.values[block["block_id"]][block["element"]["action_id"]]
        if not any((each or "").strip() if isinstance(each, str) else each for n, each in value.items() if n != "type"):
            raise ClientRefusal(f"{block['label']['text']!r} is required and empty")


def apply_answer(workspace, view, answer):
    """Do to a form what the acknowledgement of its sending says; returns errors by label. Raises Slack's refusal."""
    from slack_server.checks import Refusal, check_view

    stack = workspace.stacks.get(view.user, [])
    action = (answer or {}).get("response_action") if isinstance(answer, dict | None) else "text"
    if action is None:
        stack.remove(view)
    elif action == "clear":
        stack.clear()
    elif action == "errors":
        return _errors(view, answer.get("errors") or {})
    elif action in ("update", "push"):
        check_view(answer.get("view"), "modal")
        if action == "update":
            workspace.change(view, answer["view"])
        elif len(stack) >= 3:
            raise Refusal("push_limit_reached")
        else:
            workspace.show(view.user, answer["view"], view)
    else:
        raise Refusal("invalid_response_action", f"unknown response_action {action}")
    return {}


def _errors(view, errors):
    from slack_server.checks import Refusal

    labels = {b["block_id"]: b["label"]["text"] for b in view.content["blocks"] if b["type"] == "input"}
    if not errors or set(errors) - set(labels):
        raise Refusal("invalid_errors", f"no input block is called {sorted(set(errors) - set(labels))}")
    return {labels[block]: words for block, words in errors.items()}
