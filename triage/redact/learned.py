"""Owns the learned part of the masker as one file: the weights of `codes` and `tagger`; refuses code in it."""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from triage.redact.codes import CodeModel
from triage.redact.tagger import Bar, Tagger
from triage.redact.words import DATA

WEIGHTS = DATA / "masker.json.gz"


@dataclass(frozen=True, slots=True)
class Learned:
    """Both models of the masker."""

    codes: CodeModel
    names: Tagger


@lru_cache(maxsize=1)
def load() -> Learned:
    """Return the shipped weights, read once."""
    with gzip.open(WEIGHTS, "rt", encoding="utf-8") as file:
        data = json.load(file)
    bars = {kind: Bar(**data["names"][kind]) for kind in ("names", "homes")}
    return Learned(CodeModel(**data["codes"]), Tagger(**(data["names"] | bars)))


def write(made: Learned, path: Path = WEIGHTS) -> None:
    """Store weights: the same bytes for the same weights."""
    text = json.dumps(asdict(made), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
