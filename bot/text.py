"""Owns how text goes into and out of Slack; refuses to mean anything by it."""

from __future__ import annotations

import re

_LINK = re.compile(r"<([^<>|]+)(?:\|([^<>]*))?>")


def escape(text: str) -> str:
    """Return text that Slack shows as it is: nobody is paged by what somebody wrote."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> str:
    """Return what a person meant by the text of an event: without mentions, links as their words, entities as signs."""

    def word(match: re.Match[str]) -> str:
        target, label = match.groups()
        return label or ("" if target[0] in "@#!" else target.removeprefix("mailto:"))

    return _LINK.sub(word, text).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, with a sign where something is missing."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
