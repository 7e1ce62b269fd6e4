"""Owns the words to describe Block Kit's limits: rules that note what Slack would; refuses to know any block."""


class Problems(list):
    """What is wrong, in Slack's words with the place it is wrong at."""

    def note(self, words, place):
        """Add one."""
        self.append(f"{words} [json-pointer:{place}]")


def string(most, least=1):
    """Describe a string by its length."""

    def rule(value, place, problems):
        if not isinstance(value, str):
            problems.note("must be a string", place)
        elif len(value) > most:
            problems.note(f"must be less than {most + 1} characters", place)
        elif len(value) < least:
            problems.note(f"must be more than {least - 1} characters", place)

    return rule


def boolean(value, place, problems):
    """Describe true or false."""
    if not isinstance(value, bool):
        problems.note("must be a boolean", place)


def number(least, most):
    """Describe a whole number."""

    def rule(value, place, problems):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            problems.note(f"must be an integer from {least} to {most}", place)

    return rule


def one_of(*values):
    """Describe one of a few words."""

    def rule(value, place, problems):
        if value not in values:
            problems.note("must be a valid enum value", place)

    return rule


def anything(value, place, problems):
    """Describe what Slack checks in ways not known here."""


def items(rule_of_each, most, least=1):
    """Describe a list."""

    def rule(value, place, problems):
        if not isinstance(value, list):
            problems.note("must be an array", place)
            return
        if len(value) > most:
            problems.note(f"no more than {most} items allowed", place)
        if len(value) < least:
            problems.note(f"no less than {least} items allowed", place)
        for index, each in enumerate(value):
            rule_of_each(each, f"{place}/{index}", problems)

    return rule


def shape(required=None, optional=None):
    """Describe an object: what it must have, what it may have; anything else is refused."""
    required, known = required or {}, (required or {}) | (optional or {})

    def rule(value, place, problems):
        if not isinstance(value, dict):
            problems.note("must be an object", place)
            return
        for name in required:
            if name not in value:
                problems.note(f"missing required field: {name}", place)
        for name, each in value.items():
            if name == "type":
                continue
            if name not in known:
                problems.note(f"invalid additional property: {name}", place)
            else:
                known[name](each, f"{place}/{name}", problems)

    return rule


def by_type(rules):
    """Describe an object by the rule for its `type`."""

    def rule(value, place, problems):
        kind = value.get("type") if isinstance(value, dict) else None
        if kind not in rules:
            problems.note(f"unsupported type: {kind}", f"{place}/type")
        else:
            rules[kind](value, place, problems)

    return rule


def text(most, least=1, *, kinds=("plain_text", "mrkdwn")):
    """Describe a text object."""
    words = {"text": string(most, least)}
    rules = {
        "plain_text": shape(words, {"emoji": boolean}),
        "mrkdwn": shape(words, {"verbatim": boolean}),
    }
    return by_type({kind: rules[kind] for kind in kinds})


def plain(most, least=1):
    """Describe a text object without markup."""
    return text(most, least, kinds=("plain_text",))
