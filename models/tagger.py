"""Owns learning who is a patient: fits the weights of `triage.redact.tagger`; refuses to mask.

    python -m models.tagger

The shipped weights are the result of this on training_data/masking and the ticket texts.
"""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from models.compiled import Array
from models.dataset import shipped_folder
from models.masking import Marked, load_marked
from triage.redact import learned
from triage.redact.codes import Candidate, CodeModel, candidates
from triage.redact.identifiers import certain, doubtful
from triage.redact.learned import Learned
from triage.redact.tagger import HOPELESS, Context, FirstLook, Tagger
from triage.redact.words import tokens_of
from triage.ticket import Span

C = 0.5
FOLDS = 4
SEED = 20
PLAIN = 2500  # unmarked tickets that teach ordinary words
UNCLEAR = 0.0  # log-odds from which a word of theirs may be a name after all and is left out
CODE, RULED_CODE = 0.2, 0.1  # least probability of being a patient's: without and with a detector's word
SURE, BESIDE = -2.0, -3.5  # log-odds, chosen on tickets of authors left out (benchmarks/masking.py --left-out)
LEAST = 0.02  # smaller weights are dropped: they never decide and make the file three times as large
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
    """Fit both models on marked tickets; `texts` are (author, text) of tickets whose words count as common."""
    own = [(ticket.author, unnamed(ticket)) for ticket in tickets]
    common = common_words([*texts, *own])
    codes = learned_codes(tickets)
    plain = [text for _, text in random.Random(SEED).sample(texts, min(PLAIN, len(texts)))]  # noqa: S311 - no secret
    return Learned(codes, Tagger(*learned_names(tickets, plain, common, codes), common, SURE, BESIDE))


def unnamed(ticket: Marked) -> str:
    """Return a ticket's text without what its author marked as names."""
    text = ticket.text
    for mark in reversed(ticket.marks):
        if mark.type in ("NAME", "STAFF", "ADDRESS", "EMAIL"):
            text = text[: mark.start] + " " + text[mark.end :]
    return text


def learned_codes(tickets: Sequence[Marked]) -> CodeModel:
    """Fit which numbers, dates, phones and e-mails are a patient's."""
    found = [
        (one.features, label_of(one, ticket))
        for ticket in tickets
        for one in candidates(ticket.text, seen(ticket.text))
    ]
    types = ["", *sorted({label for _, label in found} - {""})]
    names, weights = fitted([features for features, _ in found], [types.index(label) for _, label in found])
    rows = {name: [round(w, 3) for w in row] for name, row in zip(names, weights.T.tolist(), strict=True)}
    return CodeModel(types, {name: row for name, row in rows.items() if max(map(abs, row)) >= LEAST}, CODE, RULED_CODE)


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


@dataclass(frozen=True)
class _Words:
    """One ticket's words: their features, and whether each is part of a name that must go (None: leave it out)."""

    context: Context
    features: dict[int, list[str]]
    named: dict[int, bool | None]


def learned_names(
    tickets: Sequence[Marked], plain: Sequence[str], common: dict[str, int], codes: CodeModel
) -> tuple[dict[str, float], dict[str, float]]:
    """Fit the two looks of the word model; the second on scores of tickets that the first was not fitted on.

    `plain` tickets, which nobody marked, teach ordinary words: what a model of the marked
    ones alone holds for no name is none.
    """
    words = [_words_of(ticket, common, codes) for ticket in tickets]
    marked_only = _fit_first(words)
    for text in plain:
        one = _words_of(Marked("", "", "", text, ()), common, codes)
        for place, names in one.features.items():
            if sum(marked_only.get(name, 0.0) for name in names) >= UNCLEAR:
                one.named[place] = None
        words.append(one)
    rows: list[list[str]] = []
    truth: list[int] = []
    for fold in range(FOLDS):
        first = _fit_first([one for number, one in enumerate(words) if number % FOLDS != fold])
        for one in words[fold::FOLDS]:
            scores = {place: sum(first.get(name, 0.0) for name in names) for place, names in one.features.items()}
            look = FirstLook(one.context, scores)
            for place, named in one.named.items():
                if named is not None and scores[place] >= HOPELESS:
                    rows.append(one.features[place] + look.features(place))
                    truth.append(int(named))
    return _shortened(_fit_first(words)), _shortened(_weights(rows, truth))


def _fit_first(words: Sequence[_Words]) -> dict[str, float]:
    known = [(one.features[place], named) for one in words for place, named in one.named.items() if named is not None]
    return _weights([features for features, _ in known], [int(named) for _, named in known])


def _weights(rows: Sequence[Sequence[str]], truth: Sequence[int]) -> dict[str, float]:
    names, weights = fitted(rows, truth)
    return dict(zip(names, weights[-1].tolist(), strict=True))


def _shortened(weights: dict[str, float]) -> dict[str, float]:
    return {name: round(weight, 3) for name, weight in weights.items() if abs(weight) >= LEAST}


def _words_of(ticket: Marked, common: dict[str, int], codes: CodeModel) -> _Words:
    found, _ = codes.judge(ticket.text, seen(ticket.text))
    context = Context(ticket.text, found, common)
    names = [mark for mark in ticket.marks if mark.type == "NAME"]
    others = [mark for mark in ticket.identifiers if mark.type != "NAME"]
    named: dict[int, bool | None] = {}
    for place in context.words():
        token = context.tokens[place]
        inside = any(mark.start <= token.start and token.end <= mark.end for mark in names)
        named[place] = None if any(mark.start < token.end and token.start < mark.end for mark in others) else inside
    return _Words(context, {place: context.features(place) for place in named}, named)


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
