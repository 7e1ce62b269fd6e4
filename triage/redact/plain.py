"""Owns how a text looks to a reader: without invisible, wide and combining characters; refuses to lose a place."""

from __future__ import annotations

import unicodedata


def plain(raw: str) -> tuple[str, list[int] | None]:
    """Return the text as a reader sees it, and where each of its characters stands in the original.

    Full-width digits and letters become plain ones; invisible characters and accents that
    stand by themselves go: they would tear an identifier apart. None when every character stays where it is.
    """
    if raw.isascii():
        return raw, None
    kept = [(i, shown) for i, c in enumerate(raw) if (shown := _seen(c))]
    return "".join(shown for _, shown in kept), [i for i, _ in kept]


_PLAIN = {"\u00ad": "", "\u00a0": " ", "\u202f": " "} | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-")


def _seen(character: str) -> str:
    if (known := _PLAIN.get(character)) is not None:
        return known
    if unicodedata.combining(character):
        return ""
    if character < "\u2000":
        return character
    if unicodedata.category(character) == "Cf":
        return ""
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character
