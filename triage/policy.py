"""Owns the Policy, read from policy.yaml; refuses unsafe or dangling entries by file, line and reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from triage.ticket import Level, Priority

# The C parser where it is built in: every command reads the policy and the articles, and it takes 0.1 s less.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
BUILT_IN = Path(__file__).with_name("policy.yaml")
GUIDE = "guide"
KNOWN_ACTIONS = frozenset({GUIDE})

# The floor: what no policy file may change (docs/architecture.md, "Safety floor").
SECURITY_CATEGORY = "security_incident"
DOWNTIME_CATEGORY = "device_downtime"
NEVER_MINOR = frozenset({SECURITY_CATEGORY, DOWNTIME_CATEGORY, "account_access"})
LEAST_THRESHOLD = 0.5  # below an even chance nothing may act alone
LONGEST_ORIGINAL = 30  # days that an unmasked text may be kept, sealed
SLOWEST_SECURITY_STEP = 60  # minutes until an unanswered security ticket must have climbed

Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Channel = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$")]
Minutes = Annotated[int, Field(gt=0, le=60 * 24 * 90)]


class PolicyError(Exception):
    """A policy file that must not be used; its text lists every fault as `file:line: where: reason`."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Label(_Frozen):
    """A name for people, in both languages."""

    en: str = Field(min_length=1)
    fr: str = Field(min_length=1)

    def in_(self, language: str) -> str:
        """Return the name in `language`, English for any other."""
        return self.fr if language == "fr" else self.en


class Calendar(_Frozen):
    """When a team works: around the clock, or opening hours on some weekdays."""

    always: bool = False
    days: tuple[str, ...] = ("mon", "tue", "wed", "thu", "fri")
    opens: time = time(8)
    closes: time = time(17)
    holidays: tuple[date, ...] = ()

    @field_validator("opens", "closes", mode="before")
    @classmethod
    def _clock(cls, value: object) -> object:
        # YAML reads 07:00 without quotes as the number 420, which would silently become seven minutes past midnight.
        if not isinstance(value, str | time) or (isinstance(value, str) and not re.fullmatch(r"\d\d:\d\d", value)):
            raise ValueError('must be a time in quotes, such as "07:00"')
        return value

    @field_validator("days")
    @classmethod
    def _weekdays(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        if not days or not set(days) <= set(WEEKDAYS):
            raise ValueError(f"must name weekdays out of {', '.join(WEEKDAYS)}")
        return days


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Step(_Frozen):
    """One rung of an escalation ladder."""

    after_minutes: Minutes
    channel: Channel


class Team(_Frozen):
    """Who does the work and where they hear of it."""

    label: Label
    slack_channel: Channel
    calendar: str
    restricted: bool = False
    escalation: tuple[Step, ...] = ()


class Category(_Frozen):
    """One kind of ticket. `threshold` is the least confidence at which the bot may act alone."""

    label: Label
    team: str
    urgency: Level
    minor: bool = False
    threshold: float = Field(default=1.0, ge=LEAST_THRESHOLD, le=1)
    action: str = ""


class Promise(_Frozen):
    """Minutes of the team's calendar until the first answer and until the solution."""

    respond: Minutes
    resolve: Minutes


class IncidentRule(_Frozen):
    """How many reports within how many minutes make one incident."""

    reports: int = Field(default=3, ge=2, le=50)
    window_minutes: Minutes = 20

    @property
    def window(self) -> timedelta:
        """Return the window as a duration."""
        return timedelta(minutes=self.window_minutes)


class Phrases(_Frozen):
    """Cue phrases per language, in the small pattern language of `cues`."""

    en: tuple[str, ...] = ()
    fr: tuple[str, ...] = ()


class ExtraCues(_Frozen):
    """A hospital's own danger words; they add to the floor in `cues`."""

    security: Phrases = Phrases()
    harm: Phrases = Phrases()
    identity: Phrases = Phrases()
    outage: Phrases = Phrases()
    wide: Phrases = Phrases()
    privacy: Phrases = Phrases()


class Privacy(_Frozen):
    """What becomes of words over time, and who hears of a possible breach. All limits are the floor's."""

    officer_channel: Channel = "privacy-officer"
    laws: tuple[Literal["hipaa", "phipa", "law25"], ...] = ("hipaa", "phipa", "law25")
    original_days: int = Field(default=0, ge=0, le=LONGEST_ORIGINAL)
    text_days: int = Field(default=730, ge=30, le=3650)
    notice_days: int = Field(default=30, ge=1, le=365)


class Policy(_Frozen):
    """What the hospital has promised. `hash` names this exact file in every decision."""

    version: int = Field(ge=1, le=1)
    timezone: str
    calendars: dict[Slug, Calendar]
    teams: dict[Slug, Team]
    review_team: str
    security_team: str
    categories: dict[Slug, Category]
    priorities: dict[Level, dict[Level, Priority]]
    sla: dict[Priority, Promise]
    incident: IncidentRule = IncidentRule()
    cues: ExtraCues = ExtraCues()
    privacy: Privacy = Privacy()
    never_masked: tuple[Annotated[str, Field(min_length=3, max_length=80)], ...] = ()
    hash: str = ""

    @property
    def zone(self) -> ZoneInfo:
        """Return the hospital's time zone."""
        return ZoneInfo(self.timezone)

    def calendar_of(self, team: str) -> Calendar:
        """Return the working hours of `team`."""
        return self.calendars[self.teams[team].calendar]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a policy: where (a path of keys) and why."""

    path: tuple[str | int, ...]
    reason: str


def load(path: Path | None = None, known_actions: frozenset[str] = KNOWN_ACTIONS) -> Policy:
    """Read and check one policy file (the built-in one by default).

    Raises PolicyError listing every fault with its line; never returns a policy
    that loosens the safety floor or names something that does not exist.
    """
    path = path or BUILT_IN
    raw, lines = _parse(path)
    try:
        policy = Policy.model_validate({**raw, "hash": _digest(path)})
    except ValidationError as error:
        faults = [Fault(tuple(e["loc"]), _plain(e["msg"])) for e in error.errors()]
        raise _refusal(path, lines, faults) from None
    faults = [*_dangling(policy), *_matrix_faults(policy), *_unsafe(policy)]
    faults += [fault for slug, team in policy.teams.items() for fault in _team_faults(policy, slug, team)]
    for slug, category in policy.categories.items():
        faults += _category_faults(policy, slug, category, known_actions)
    if faults:
        raise _refusal(path, lines, faults)
    return policy


class _Loader(SafeLoader):  # type: ignore[misc]  # whichever of the two parsers there is
    """Leaves dates as text: a day that does not exist is then refused with its line like any other fault."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML reads this name
        first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:timestamp"]
        for first, rules in SafeLoader.yaml_implicit_resolvers.items()
    }


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _parse(path: Path) -> tuple[dict[str, Any], dict[tuple[str | int, ...], int]]:
    """Return the file's data and the line of every key in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read: {error}") from None
    try:
        node = yaml.compose(text, Loader=_Loader)
        data = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, without dates
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "not valid YAML"
        raise PolicyError(f"{path}:{line}: {problem}") from None
    except (ValueError, RecursionError) as error:  # a date such as 2026-02-30, or nesting without end
        raise PolicyError(f"{path}:1: not valid YAML: {error}") from None
    if (twice := _written_twice(node)) is not None:
        raise PolicyError(f"{path}:{twice[0]}: {twice[1]}: is written twice, and only one would count")
    if not isinstance(data, dict) or "hash" in data:
        raise PolicyError(f"{path}:1: must be a mapping of version, teams, categories and so on")
    try:
        return data, dict(_lines(node))
    except RecursionError:
        raise PolicyError(f"{path}:1: an anchor contains itself") from None


def _written_twice(node: Any) -> tuple[int, str] | None:
    """Return line and name of the first key that one mapping holds twice: YAML would silently drop the first."""
    waiting, visited = [node], set()
    while waiting:
        one = waiting.pop()
        if id(one) in visited:
            continue
        visited.add(id(one))
        if isinstance(one, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in one.value:
                if key.value in seen:
                    return key.start_mark.line + 1, key.value
                seen.add(key.value)
                waiting.append(value)
        elif isinstance(one, yaml.SequenceNode):
            waiting += one.value
    return None


def _lines(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], int]]:
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from ((p, n) for p, n in _lines(value, (*path, key.value)) if p != (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _lines(value, (*path, index))


def _refusal(path: Path, lines: dict[tuple[str | int, ...], int], faults: list[Fault]) -> PolicyError:
    # YAML may read a key as a number; the file's own spelling is text.
    spelt = {tuple(map(str, where)): number for where, number in lines.items()}

    def line(where: tuple[str | int, ...]) -> int:
        key = tuple(map(str, where))
        while key and key not in spelt:
            key = key[:-1]
        return spelt.get(key, 1)

    rows = sorted((line(f.path), ".".join(map(str, f.path)), f.reason) for f in faults)
    return PolicyError("\n".join(f"{path}:{number}: {where}: {reason}" for number, where, reason in rows))


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "unknown key")


def _dangling(policy: Policy) -> Iterator[Fault]:
    """Yield every name that points nowhere."""
    if policy.timezone not in available_timezones():
        yield Fault(("timezone",), f"unknown time zone {policy.timezone!r}")
    for key in ("review_team", "security_team"):
        if getattr(policy, key) not in policy.teams:
            yield Fault((key,), f"unknown team {getattr(policy, key)!r}")
    yield from _promise_faults(policy)
    for slug, calendar in policy.calendars.items():
        if not calendar.always and calendar.opens >= calendar.closes:
            yield Fault(("calendars", slug), "opens must be before closes")


def _promise_faults(policy: Policy) -> Iterator[Fault]:
    for priority in Priority:
        if priority not in policy.sla:
            yield Fault(("sla",), f"{priority} is missing")
        elif policy.sla[priority].respond > policy.sla[priority].resolve:
            yield Fault(("sla", str(priority)), "the first answer must not be promised after the solution")


def _team_faults(policy: Policy, slug: str, team: Team) -> Iterator[Fault]:
    if team.calendar not in policy.calendars:
        yield Fault(("teams", slug, "calendar"), f"unknown calendar {team.calendar!r}")
    minutes = [step.after_minutes for step in team.escalation]
    if minutes != sorted(set(minutes)):
        yield Fault(("teams", slug, "escalation"), "after_minutes must rise from step to step")


def _category_faults(policy: Policy, slug: str, category: Category, known_actions: frozenset[str]) -> Iterator[Fault]:
    if category.team not in policy.teams:
        yield Fault(("categories", slug, "team"), f"unknown team {category.team!r}")
    if category.action and category.action not in known_actions:
        names = ", ".join(sorted(known_actions))
        yield Fault(("categories", slug, "action"), f"unknown action {category.action!r} (known: {names})")
    if category.minor and not category.action:
        yield Fault(("categories", slug, "minor"), "a minor category needs an action")


def _matrix_faults(policy: Policy) -> Iterator[Fault]:
    """Yield gaps, and cells where more impact or urgency would mean less priority."""
    levels = [Level.LOW, Level.MEDIUM, Level.HIGH]
    for impact in levels:
        row = policy.priorities.get(impact, {})
        if missing := [level for level in levels if level not in row]:
            yield Fault(("priorities", str(impact)), f"{', '.join(missing)} missing")
    if any(len(policy.priorities.get(impact, {})) < len(levels) for impact in levels):
        return
    rows = [[policy.priorities[impact][urgency] for urgency in levels] for impact in levels]
    for name, lines in (("urgency", rows), ("impact", [list(column) for column in zip(*rows, strict=True)])):
        if any(line != sorted(line, reverse=True) for line in lines):
            yield Fault(("priorities",), f"a higher {name} must not get a lower priority")


def _unsafe(policy: Policy) -> Iterator[Fault]:
    """Yield every entry that would loosen the safety floor."""
    for slug in sorted(NEVER_MINOR & policy.categories.keys()):
        if policy.categories[slug].minor or policy.categories[slug].action:
            yield Fault(("categories", slug), "may never be answered without a person")
    if SECURITY_CATEGORY not in policy.categories:
        yield Fault(("categories",), f"{SECURITY_CATEGORY} must not be removed")
    elif policy.categories[SECURITY_CATEGORY].team != policy.security_team:
        yield Fault(("categories", SECURITY_CATEGORY, "team"), "must be the security_team")
    if team := policy.teams.get(policy.security_team):
        yield from _unsafe_security_team(policy, team)
    yield from _overheard(policy)
    if (team := policy.teams.get(policy.review_team)) and team.restricted:
        yield Fault(("review_team",), "a restricted team cannot be the review team")


def _unsafe_security_team(policy: Policy, team: Team) -> Iterator[Fault]:
    where = ("teams", policy.security_team)
    if not team.restricted:
        yield Fault(where, "the security team must be restricted")
    if not team.escalation or team.escalation[0].after_minutes > SLOWEST_SECURITY_STEP:
        yield Fault(where, f"the security team must escalate within {SLOWEST_SECURITY_STEP} minutes")
    calendar = policy.calendars.get(team.calendar)
    if calendar and not calendar.always:
        yield Fault((*where, "calendar"), "the security team must be on call around the clock")


def _overheard(policy: Policy) -> Iterator[Fault]:
    """Yield restricted teams whose channel others read."""
    for slug, team in policy.teams.items():
        readers = (name for name, other in policy.teams.items() if other.slack_channel == team.slack_channel)
        shared = next((name for name in readers if not policy.teams[name].restricted), None)
        if team.restricted and shared:
            yield Fault(("teams", slug, "slack_channel"), f"a restricted team must not share it with {shared}")
