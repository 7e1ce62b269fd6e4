"""The classifier as it decides: every promise on the frozen set, beside its target.

    python benchmarks/board.py [--home DIR] [--without-encoder]

Uses the live model of the data directory and the whole pipeline (mask, classify,
decide). The frozen set was written by authors whose texts are in no training file.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from models import features
from models.calibrate import expected_calibration_error
from models.dataset import OUT_OF_SCOPE, Example, load_holdout
from models.evaluate import figures
from triage import bootstrap, service, settings
from triage.ticket import Decision, Prediction, Route

MINUTE = datetime(2026, 11, 24, 15, tzinfo=UTC)
SECURITY = "security_incident"


@dataclass
class Row:
    """One ticket of the frozen set and what the pipeline made of it."""

    example: Example
    prediction: Prediction
    decision: Decision
    cpu_ms: float

    @property
    def guess(self) -> str:
        """The first guess over all labels, out_of_scope included."""
        return OUT_OF_SCOPE if self.prediction.out_of_scope else self.prediction.top[0][0]

    @property
    def to_person(self) -> bool:
        """Whether a person sees it before anything happens."""
        return self.decision.route in (Route.HUMAN_REVIEW, Route.SECURITY)


def judge_all(services: service.Services, examples: list[Example]) -> Iterator[Row]:
    for example in examples:
        began = time.thread_time_ns()
        _, prediction, decision = service.judge(services, example.text, None, MINUTE)
        yield Row(example, prediction, decision, (time.thread_time_ns() - began) / 1e6)


def macro_f1(rows: list[Row]) -> float:
    """Macro-F1 over the ten categories, on rows that belong to one of them; a guess of out_of_scope is a miss."""
    inside = [row for row in rows if row.example.label != OUT_OF_SCOPE]
    labels = sorted({row.example.label for row in inside} | {row.guess for row in inside})
    one_hot = np.array([[float(row.guess == label) for label in labels] for row in inside])
    return figures(one_hot, labels, [row.example.label for row in inside])["macro_f1"]


def share(rows: list[Row], test) -> float:
    return sum(map(test, rows)) / len(rows) if rows else float("nan")


def figures_of(rows: list[Row]) -> list[tuple[str, float, str]]:
    voice = {v: [r for r in rows if r.example.voice == v] for v in ("office", "hospital")}
    spoken = {s: [r for r in rows if r.example.language == s] for s in ("en", "fr")}
    danger = [r for r in rows if r.example.label == SECURITY]
    others = [r for r in rows if r.example.label != SECURITY]
    harm = [r for r in rows if "harm" in r.example.flags]
    inside = [r for r in rows if r.example.label != OUT_OF_SCOPE]
    outside = [r for r in rows if r.example.label == OUT_OF_SCOPE]
    alone = [r for r in rows if r.decision.route is Route.AUTO_RESOLVE]
    scary = [r for r in rows if "scary" in r.example.flags]
    confidence = np.array([max(r.prediction.confidence, r.prediction.p_out_of_scope) for r in rows])
    right = np.array([r.guess == r.example.label for r in rows])
    is_security = lambda r: r.decision.route is Route.SECURITY  # noqa: E731 - named for the table below
    cpu = sorted(r.cpu_ms for r in rows)
    return [
        ("macro-F1, office voices", macro_f1(voice["office"]), ">= 0.80"),
        ("macro-F1, hospital voices", macro_f1(voice["hospital"]), ">= 0.90"),
        ("macro-F1, English", macro_f1(spoken["en"]), ""),
        ("macro-F1, French", macro_f1(spoken["fr"]), "at most 0.05 below English"),
        ("security caught (security or review)", share(danger, lambda r: r.to_person), ">= 0.98"),
        ("security recall, strict", share(danger, is_security), ">= 0.92"),
        ("security false alarms", share(others, is_security), "<= 0.05"),
        ("frightening but harmless sent to security", share(scary, is_security), "<= 0.10"),
        (
            f"security or harm acted on alone (of {len(danger) + len(harm)})",
            sum(r.decision.route is Route.AUTO_RESOLVE for r in {id(r): r for r in danger + harm}.values()),
            "0",
        ),
        ("out of scope sent to a person", share(outside, lambda r: r.to_person), ">= 0.85"),
        ("auto_resolve precision", share(alone, lambda r: r.decision.category == r.example.label), ">= 0.97"),
        ("auto_resolve share of in-scope tickets", len(alone) / len(inside), ">= 0.25"),
        ("in-scope tickets sent to review", share(inside, lambda r: r.decision.route is Route.HUMAN_REVIEW), ""),
        ("calibration error (ECE)", expected_calibration_error(confidence, right), "<= 0.05"),
        ("mask + classify + decide, CPU ms p50", cpu[len(cpu) // 2], "<= 3.0 with encoder, 0.6 without"),
        ("mask + classify + decide, CPU ms p99", cpu[int(len(cpu) * 0.99)], ""),
    ]


def surprising(rows: list[Row], count: int = 10) -> list[Row]:
    wrong = [r for r in rows if r.guess != r.example.label]
    return sorted(wrong, key=lambda r: -r.prediction.confidence)[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--without-encoder", action="store_true")
    parser.add_argument("--mistakes", action="store_true", help="also print the ten most confident mistakes")
    arguments = parser.parse_args()
    if arguments.home:
        os.environ["TRIAGE_HOME"] = str(arguments.home)
    if arguments.without_encoder:
        features._encoder[:] = [None]  # noqa: SLF001 - stands in for a machine where it is not installed
    services = bootstrap.build(settings.load()).services
    examples = load_holdout()
    for _ in judge_all(services, examples[:20]):  # warm up
        pass
    rows = list(judge_all(services, examples))
    for name, value, target in figures_of(rows):
        print(f"{name:48} {value:8.3f}   {target}")
    for row in surprising(rows) if arguments.mistakes else []:
        print(f"{row.prediction.confidence:.2f} {row.guess} not {row.example.label}: {row.example.text[:160]!r}")


if __name__ == "__main__":
    main()
