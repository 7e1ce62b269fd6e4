"""Owns learning who is a patient: fits the weights of `triage.redact.tagger`; refuses to mask.

    python -m models.tagger

The shipped weights are the result of this on training_data/masking and the ticket texts.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from models.compiled import Array
from models.dataset import shipped_folder
from models.masking import STAFF as STAFF_MARK
from models.masking import STRUCTURED, Marked, load_marked
from triage.redact import learned
from triage.redact.codes import Candidate, CodeModel, Looked, candidates, second_features
from triage.redact.context import Context
from triage.redact.identifiers import certain, doubtful
from triage.redact.learned import Learned
from triage.redact.tagger import HOPELESS, Bar, FirstLook, Tagger, Weights, weighed
from triage.redact.words import Token, tokens_of
from triage.ticket import Span

C = 0.5
FOLDS = 4
SEED = 20
PLAIN = 2500  # unmarked tickets that teach ordinary words
UNCLEAR = 0.0  # log-odds from which a word of theirs may be a name after all and is left out
CODE, RULED_CODE = 0.2, 0.1  # least probability of being a patient's: without and with a detector's word
# Log-odds, chosen on tickets of authors left out (benchmarks/masking.py --left-out).
NAMES, HOMES = Bar(sure=-2.5, beside=-4.0), Bar(sure=-0.5, beside=-1.5)
LEAST = 0.05  # smaller weights are dropped: they hardly ever decide, and masking and its start cost half as much
COMMON_AUTHORS = (1, 3, 8, 20)  # a level for each number of authors that more than so many write a word in lower case


def common_words(texts: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Return how common each word of (author, text) is in lower case: 1 for few authors, to 4 for many."""
    authors: dict[str, set[str]] = defaultdict(set)
    for author, text in texts:
        for token in tokens_of(text):
            if token.text.islower():
                authors[token.low].add(author)
    return {w: level for w, by in authors.items() if (level := sum(len(by) > least for least in COMMON_AUTHORS))}


def learn(tickets: Sequence[Marked], texts: Sequence[tuple[str, str]]) -> Learned:
    """Fit both models on marked tickets; `texts` are (author, text) of tickets whose words count as common.

    Whatever one model learns from another's answers, it learns from answers to tickets
    that the other was not fitted on.
    """
    own = [(ticket.author, unnamed(ticket)) for ticket in tickets]
    common = common_words([*texts, *own])
    plain = [text for _, text in random.Random(SEED).sample(texts, min(PLAIN, len(texts)))]  # noqa: S311 - no secret
    codes = first_codes(tickets)
    looks = looks_of_others(tickets, codes)
    words = [words_of(ticket, common, codes, look) for ticket, look in zip(tickets, looks, strict=True)]
    words += plain_words(plain, common, codes, fit_first(words))
    second, names = second_names(words)
    first = fit_first(words)
    both = {name: first.get(name, [0.0] * 3) + second.get(name, [0.0] * 2) for name in first | second}
    tagger = Tagger(_shortened(both), common, NAMES, HOMES)
    return Learned(second_codes(tickets, codes, looks, names), tagger)


def unnamed(ticket: Marked) -> str:
    """Return a ticket's text without what its author marked as names."""
    text = ticket.text
    for mark in reversed(ticket.marks):
        if mark.type in ("NAME", "STAFF", "ADDRESS", "EMAIL"):
            text = text[: mark.start] + " " + text[mark.end :]
    return text


def first_codes(tickets: Sequence[Marked]) -> CodeModel:
    """Fit which numbers, dates, phones and e-mails are a patient's, by themselves."""
    found = [
        (one.features, label_of(one, ticket))
        for ticket in tickets
        for one in candidates(ticket.text, seen(ticket.text))
    ]
    types = ["", *sorted({label for _, label in found} - {""})]
    weights = _table([features for features, _ in found], [types.index(label) for _, label in found])
    return CodeModel(types, weights, {}, CODE, RULED_CODE)


def looks_of_others(tickets: Sequence[Marked], codes: CodeModel) -> list[Looked]:
    """Return a first look at every ticket, by weights that were not fitted on it."""
    looks: list[Looked] = [[] for _ in tickets]
    for fold in range(FOLDS):
        part = first_codes([ticket for number, ticket in enumerate(tickets) if number % FOLDS != fold])
        for number in range(fold, len(tickets), FOLDS):
            text = tickets[number].text
            for one, shares in part.look(text, seen(text)):
                by_type = dict(zip(part.types, shares, strict=True))
                looks[number].append((one, [by_type.get(kind, 0.0) for kind in codes.types]))
    return looks


def second_codes(
    tickets: Sequence[Marked], codes: CodeModel, looks: Sequence[Looked], names: Sequence[list[Span]]
) -> CodeModel:
    """Fit the second look, which knows the names and the other candidates of a ticket."""
    rows: list[list[str]] = []
    truth: list[int] = []
    for ticket, looked, named in zip(tickets, looks, names, strict=False):
        for (one, _), more in zip(looked, second_features(ticket.text, looked, named), strict=True):
            rows.append([*one.features, *more])
            truth.append(codes.types.index(label_of(one, ticket)))
    return replace(codes, second=_table(rows, truth))


def _table(rows: Sequence[Sequence[str]], truth: Sequence[int]) -> Weights:
    names, weights = fitted(rows, truth)
    return _shortened(dict(zip(names, weights.T.tolist(), strict=True)))


def seen(text: str) -> list[Span]:
    """Return what the detectors see in a text."""
    proved = certain(text)
    return sorted(proved + doubtful(text, proved), key=lambda span: span.start)


def label_of(candidate: Candidate, ticket: Marked) -> str:
    """Return what the author says a candidate is, "" for what is no patient's."""
    for mark in ticket.identifiers:
        if mark.type != "NAME" and mark.start < candidate.end and candidate.start < mark.end:
            return mark.type
    return ""


Truth = tuple[bool | None, bool | None, bool | None]  # name, home, staff; None: leave the word out


@dataclass(frozen=True)
class Words:
    """One ticket's words: their features, and for each class whether the word is of it."""

    context: Context
    features: dict[int, list[str]]
    truth: dict[int, Truth]


def words_of(ticket: Marked, common: dict[str, int], codes: CodeModel, looked: Looked) -> Words:
    """Return the words of a marked ticket, beside the codes that a first look at it finds."""
    found, _ = codes.judge(looked, seen(ticket.text))
    context = Context(ticket.text, [span for span in found if span.type != "ADDRESS"], common)
    truth = {place: _truth(ticket, context.tokens[place]) for place in context.words()}
    return Words(context, {place: context.features(place) for place in truth}, truth)


def _truth(ticket: Marked, token: Token) -> Truth:
    """Return what the author says a word is; a number can only be of a home, other identifiers are nothing."""
    touched = {mark.type for mark in ticket.marks if mark.start < token.end and token.start < mark.end}
    inside = {mark.type for mark in ticket.marks if mark.start <= token.start and token.end <= mark.end}
    if touched & set(STRUCTURED) - {"ADDRESS"}:
        return None, None, None
    home = "ADDRESS" in inside
    if token.text[0].isdigit():
        return None, home, None
    return (None if home else "NAME" in inside), home, STAFF_MARK in inside


def plain_words(texts: Sequence[str], common: dict[str, int], codes: CodeModel, first: Weights) -> list[Words]:
    """Return the words of tickets that nobody marked: what `first` holds for no name, home or colleague is none."""
    found = []
    for text in texts:
        one = words_of(Marked("", "", "", text, ()), common, codes, codes.look(text, seen(text)))
        for place, names in one.features.items():
            name, home, staff = (None if score >= UNCLEAR else False for score in weighed(first, names, 3))
            one.truth[place] = (name, home, staff)
        found.append(one)
    return found


def fit_first(words: Sequence[Words]) -> Weights:
    """Fit the first look of the word model."""
    rows = [(one.features[place], known) for one in words for place, known in one.truth.items()]
    return _per_class([features for features, _ in rows], [known for _, known in rows])


def second_names(words: Sequence[Words]) -> tuple[Weights, list[list[Span]]]:
    """Fit the second look; also returns the names that first looks at the tickets find."""
    rows: list[list[str]] = []
    truth: list[tuple[bool | None, ...]] = []
    names: list[list[Span]] = [[] for _ in words]
    for fold in range(FOLDS):
        first = fit_first([one for number, one in enumerate(words) if number % FOLDS != fold])
        for number in range(fold, len(words), FOLDS):
            one = words[number]
            look = FirstLook(one.context, {p: weighed(first, found, 3) for p, found in one.features.items()})
            names[number] = look.names()
            for place, known in one.truth.items():
                if max(look.scores[place][:2]) >= HOPELESS:
                    rows.append(one.features[place] + look.features(place))
                    truth.append(known[:2])
    return _per_class(rows, truth), names


def _per_class(rows: Sequence[Sequence[str]], truth: Sequence[tuple[bool | None, ...]]) -> Weights:
    """Fit one logistic regression per class on the same features."""
    table: Weights = {}
    classes = len(truth[0])
    for column in range(classes):
        known = [(row, labels[column]) for row, labels in zip(rows, truth, strict=True) if labels[column] is not None]
        names, weights = fitted([row for row, _ in known], [int(bool(label)) for _, label in known])
        for name, weight in zip(names, weights[-1].tolist(), strict=True):
            table.setdefault(name, [0.0] * classes)[column] = weight
    return table


def _shortened(weights: Weights) -> Weights:
    return {name: [round(w, 3) for w in row] for name, row in weights.items() if max(map(abs, row)) >= LEAST}


def fitted(rows: Sequence[Sequence[str]], truth: Sequence[int]) -> tuple[list[str], Array]:
    """Fit a logistic regression on named features that are there or not; returns names and (classes x names)."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    place: dict[str, int] = {"": 0}
    columns: list[int] = []
    ends = [0]
    for row in rows:
        columns += {place.setdefault(name, len(place)) for name in row}
        ends.append(len(columns))
    matrix = csr_matrix(
        (np.ones(len(columns)), np.array(columns, np.int32), np.array(ends, np.int32)), (len(rows), len(place))
    )
    with threadpool_limits(1):
        model = LogisticRegression(C=C, max_iter=400).fit(matrix, truth)
    weights = model.coef_.copy()
    weights[:, 0] += model.intercept_
    return list(place), weights


def ticket_texts() -> list[tuple[str, str]]:
    """Return author and text of every training ticket, as written: masking them needs what is learned here."""
    found = []
    for path in sorted(shipped_folder().glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found += [(row["author"], row["text"]) for row in csv.DictReader(file)]
    return found


if __name__ == "__main__":
    learned.write(learn(load_marked(), ticket_texts()))
