"""Owns the Web API methods about people, forms, reactions and files, and the list of all; refuses as `methods` does."""

import re

from slack_server import methods
from slack_server.checks import Refusal, check_view, flag, need_scope


def person_dict(call, user):
    profile = {"real_name": user.name, "display_name": user.name}
    if user.email and "users:read.email" in call.app.scopes:
        profile["email"] = user.email
    found = {"id": user.id, "team_id": call.app.team_id, "name": user.name.lower(), "deleted": user.deleted,
             "real_name": user.name, "tz": "America/Toronto", "is_bot": user.is_bot, "profile": profile}  # fmt: skip
    return found | ({"locale": user.locale} if flag(call.arguments, "include_locale") else {})


def user_info(call):
    return {"user": person_dict(call, call.user())}


def user_by_email(call):
    for user in call.workspace.users.values():
        if user.email and user.email.lower() == call["email"].lower() and not user.deleted:
            return {"user": person_dict(call, user)}
    raise Refusal("users_not_found")


def list_users(call):
    return methods.paged(call, "members", [person_dict(call, u) for u in call.workspace.users.values()], 100, 1000)


def open_view(call):
    check_view(call["view"], "modal")
    trigger = call.triggers.use(call["trigger_id"])
    _unused_name(call)
    call.workspace.stacks[trigger.user] = []
    return {"view": call.workspace.show(trigger.user, call["view"]).as_dict()}


def push_view(call):
    check_view(call["view"], "modal")
    trigger = call.triggers.use(call["trigger_id"])
    stack = call.workspace.stacks.get(trigger.user) or []
    if trigger.view is None or not stack:
        raise Refusal("invalid_trigger_id")
    if len(stack) >= 3:
        raise Refusal("push_limit_reached")
    _unused_name(call)
    return {"view": call.workspace.show(trigger.user, call["view"], stack[-1]).as_dict()}


def _unused_name(call):
    name = call["view"].get("external_id")
    if name and call.workspace.open_view(external_id=name):
        raise Refusal("duplicate_external_id")


def update_view(call):
    if not call["view_id"] and not call["external_id"]:
        raise Refusal("invalid_arguments", "missing required field: view_id")
    view = call.workspace.open_view(id=call["view_id"], external_id=call["external_id"])
    check_view(call["view"], "home" if view and view.content["type"] == "home" else "modal")
    if view is None:
        raise Refusal("not_found")
    if call["hash"] and call["hash"] != view.hash:
        raise Refusal("hash_conflict")
    call.workspace.change(view, call["view"])
    return {"view": view.as_dict()}


def publish_view(call):
    check_view(call["view"], "home")
    if not call.app.home_tab:
        raise Refusal("not_enabled")
    user = call.user("user_id", "invalid_arguments")
    old = call.workspace.homes.get(user.id)
    if call["hash"] and old and call["hash"] != old.hash:
        raise Refusal("hash_conflict")
    return {"view": call.workspace.publish(user.id, call["view"]).as_dict()}


def _reacted_message(call):
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", call["name"]):
        raise Refusal("invalid_name")
    if not call["channel"] or not call["timestamp"]:
        raise Refusal("no_item_specified")
    channel = call.channel()
    message = channel.find(call["timestamp"])
    if message is None:
        raise Refusal("message_not_found")
    if call.app.user_id not in channel.members:
        raise Refusal("not_in_channel")
    return message


def add_reaction(call):
    message = _reacted_message(call)
    who = message.reactions.setdefault(call["name"], [])
    if call.app.user_id in who:
        raise Refusal("already_reacted")
    who.append(call.app.user_id)
    return {}


def remove_reaction(call):
    who = _reacted_message(call).reactions.get(call["name"], [])
    if call.app.user_id not in who:
        raise Refusal("no_reaction")
    who.remove(call.app.user_id)
    return {}


def file_info(call):
    need_scope(call.app, "files:read")
    found = call.workspace.files.get(call["file"])
    if found is None or call.app.user_id not in found["seen_by"].members:
        raise Refusal("file_not_found")
    return {"file": {name: value for name, value in found.items() if name not in ("seen_by", "content")}}


METHODS = {
    "auth.test": methods.auth_test,
    "apps.connections.open": methods.open_connection,
    "chat.postMessage": methods.post_message,
    "chat.update": methods.update_message,
    "chat.delete": methods.delete_message,
    "chat.postEphemeral": methods.post_ephemeral,
    "chat.getPermalink": methods.permalink,
    "conversations.open": methods.open_conversation,
    "conversations.info": methods.channel_info,
    "conversations.list": methods.list_channels,
    "conversations.history": methods.history,
    "conversations.replies": methods.replies,
    "conversations.join": methods.join,
    "conversations.members": methods.members,
    "users.info": user_info,
    "users.lookupByEmail": user_by_email,
    "users.list": list_users,
    "views.open": open_view,
    "views.push": push_view,
    "views.update": update_view,
    "views.publish": publish_view,
    "reactions.add": add_reaction,
    "reactions.remove": remove_reaction,
    "files.info": file_info,
}
