"""Owns the bytes of a trained model: packs, signs, verifies and unpacks them; refuses what it did not sign."""

from __future__ import annotations

import hashlib
import hmac
import io
import platform
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import joblib

from models.compiled import Compiled
from models.dataset import Example, data_hash
from triage.ticket import ModelUnavailableError

FORMAT = 1  # raise it when an older program could not serve what this one packs


class TamperedModelError(ModelUnavailableError):
    """The bytes are not the ones that were stored, or another key signed them."""


def pack(model: Compiled, key: bytes) -> tuple[bytes, str]:
    """Return a model's bytes and their keyed digest."""
    buffer = io.BytesIO()
    joblib.dump({"format": FORMAT, "model": model}, buffer, compress=3)
    blob = buffer.getvalue()
    return blob, digest(blob, key)


def digest(blob: bytes, key: bytes) -> str:
    """Return the keyed digest of a model's bytes."""
    return hmac.new(key, blob, hashlib.sha256).hexdigest()


def unpack(blob: bytes, expected: str, key: bytes) -> Compiled:
    """Return the model behind bytes that this installation signed.

    The digest is checked first, because joblib runs whatever code the bytes hold.
    Raises TamperedModelError, or ModelUnavailableError for another format.
    """
    if not hmac.compare_digest(digest(blob, key).encode(), expected.encode()):
        raise TamperedModelError("the model was altered, or signed with another TRIAGE_SECRET_KEY")
    content = joblib.load(io.BytesIO(blob))
    if content.get("format") != FORMAT:
        raise ModelUnavailableError(f"the model has format {content.get('format')}, this version serves {FORMAT}")
    return content["model"]  # type: ignore[no-any-return]  # signed by `pack`, so it is a Compiled


def describe(
    examples: Sequence[Example], now: datetime, *, with_meaning: bool, cpu_seconds: float, **measured: Any
) -> dict[str, Any]:
    """Return the card of a model: what it was trained on, with what, and what was `measured`."""
    import numpy as np
    import sklearn

    return {
        "created": now.isoformat(timespec="seconds"),
        "rows": len(examples),
        "labels": dict(sorted(Counter(e.label for e in examples).items())),
        "languages": dict(Counter(e.language or "?" for e in examples)),
        "authors": len({e.author for e in examples if e.author}),
        "data_hash": data_hash(examples),
        "encoder": with_meaning,
        "trained_with": {
            "python": platform.python_version(),
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
        },
        "cpu_seconds": round(cpu_seconds, 1),
        **measured,
    }
