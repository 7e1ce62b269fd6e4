"""Owns what of Block Kit a person sees: words and what can be clicked; refuses to judge whether blocks are valid."""

STATEFUL = ("static_select", "radio_buttons", "checkboxes", "users_select", "conversations_select", "channels_select")


def texts_of(part):
    """Yield the words of a block or a part of one, in reading order."""
    if isinstance(part, list):
        for each in part:
            yield from texts_of(each)
    elif isinstance(part, dict):
        if isinstance(part.get("text"), str) and part.get("type") in ("mrkdwn", "plain_text", "markdown", "text"):
            yield part["text"]
            return
        for name in ("title", "label", "text", "hint", "fields", "placeholder", "element", "elements", "accessory",
                     "options", "alt_text", "rows"):  # fmt: skip
            found = part.get(name)
            if isinstance(found, str):
                yield found
            elif found:
                yield from texts_of(found)


def shown_text(blocks):
    """Return the words of blocks, one part a line."""
    return "\n".join(texts_of(blocks))


def strings_of(value):
    """Yield every string inside a value, shown or hidden."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield str(name)
            yield from strings_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings_of(each)


def interactive_parts(blocks):
    """Yield (block, element) of everything that can be clicked outside input blocks."""
    for block in blocks:
        parts = block.get("elements", []) if block.get("type") in ("actions", "context_actions") else []
        for part in [*parts, block.get("accessory")]:
            if isinstance(part, dict) and part.get("type") != "image":
                yield block, part


def label_of(element):
    """Return what stands on a button or in an empty menu."""
    if element.get("type") == "button":
        return element["text"]["text"]
    return (element.get("placeholder") or {}).get("text") or element.get("action_id", "")


def labels_of(blocks):
    """Return the labels of everything that can be clicked."""
    return [label_of(element) for _, element in interactive_parts(blocks)]


def options_of(element):
    """Return the options of a menu, those in groups too."""
    groups = element.get("option_groups") or []
    return list(element.get("options") or []) + [each for group in groups for each in group["options"]]


class Screen:
    """What one person sees: messages, those for them alone, Home, the form on top, and what Slack tells them."""

    def __init__(self, messages, only_for_them, home, view, told):
        self.messages, self.only_for_them, self.home, self.view, self.told = messages, only_for_them, home, view, told

    @property
    def texts(self):
        """All words on it."""
        views = [view for view in (self.home, self.view) if view]
        words = [each.shown for each in (*self.messages, *self.only_for_them)]
        return words + [shown_text([view.content.get("title"), view.content["blocks"]]) for view in views] + self.told

    @property
    def buttons(self):
        """All labels that can be clicked."""
        found = [label for each in (*self.messages, *self.only_for_them) for label in each.buttons]
        return found + [label for view in (self.home, self.view) if view for label in labels_of(view.content["blocks"])]

    def __contains__(self, text):
        return any(text in each for each in self.texts)

    def __repr__(self):
        return f"Screen({self.texts!r}, buttons={self.buttons!r})"
