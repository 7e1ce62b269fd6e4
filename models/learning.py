"""Owns one training run from files to a signed model with its card; refuses to store or promote."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from models import registry
from models.compiled import Compiled
from models.dataset import Example, load_holdout, load_shipped, read_csv
from models.evaluate import evaluate, figures
from models.features import encoder
from models.train import Step, train
from triage.service import Services
from triage.store import corrections


def learn(services: Services, files: Sequence[Path], now: datetime, progress: Step) -> tuple[Compiled, dict[str, Any]]:
    """Train on `files` alone, or without any on the shipped and the reviewed tickets.

    Returns the model and its card. Raises DatasetError naming file, line and field.
    """
    if files:
        examples = [example for path in files for example in read_csv(path)]
        held_out: list[Example] = []
    else:
        examples = load_shipped(services.policy.categories) + reviewed(services)
        held_out = load_holdout()
    using = encoder()
    source = ", ".join(map(str, files)) or "training data"
    trained = train(examples, using, progress, source)
    model = trained.model
    measured: dict[str, Any] = {
        "out_of_fold": figures(trained.out_of_fold, model.labels, [e.label for e in examples]),
        "thresholds": model.thresholds,
        "weights": trained.weights,
    }
    if held_out:
        measured["holdout"] = evaluate(model, held_out, using)
    card = registry.describe(
        examples, now, with_meaning=model.meaning is not None, cpu_seconds=trained.cpu_seconds, **measured
    )
    return model, card


def sign(model: Compiled, key: bytes) -> tuple[bytes, str]:
    """Return the model's bytes and their keyed digest."""
    return registry.pack(model, key)


def reviewed(services: Services) -> list[Example]:
    """Return the tickets that a person labelled; each is its own author, so folds spread them."""
    rows = services.transactions.read(corrections.reviewed_examples)
    return [Example(row.text, row.label, row.language, author=f"ticket-{row.id}") for row in rows]
