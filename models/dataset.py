"""Owns labelled text: reads CSV files and names every fault by file, line and field; refuses to train."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.redact import redact

OUT_OF_SCOPE = "out_of_scope"
HOLDOUT = "holdout"
LEAST_ROWS_PER_LABEL = 2
MAX_FIELD = 2_000_000  # characters; a longer cell is a broken file, not a ticket
FLAGS = frozenset({"harm", "scary", "two"})


class DatasetError(Exception):
    """A file that cannot be used; the text names file, line and field."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled, masked text. `author` groups texts of one hand, so that none judges itself."""

    text: str
    label: str
    language: str = ""
    voice: str = ""
    author: str = ""
    flags: frozenset[str] = frozenset()


def shipped_folder() -> Path:
    """Return where the training data lies: beside the packages, or inside the installed wheel."""
    beside = Path(__file__).resolve().parent.parent / "training_data"
    return beside if beside.is_dir() else Path(__file__).resolve().parent.parent / "triage" / "_training_data"


def load_shipped(labels: Iterable[str], folder: Path | None = None) -> list[Example]:
    """Read `<label>.csv` of every label and out_of_scope.csv. Raises DatasetError for a missing file."""
    folder = folder or shipped_folder()
    examples = []
    for label in [*labels, OUT_OF_SCOPE]:
        examples += read_csv(folder / f"{label}.csv", label=label)
    return examples


def load_holdout(folder: Path | None = None) -> list[Example]:
    """Read the frozen evaluation set, which no training ever sees."""
    paths = sorted(((folder or shipped_folder()) / HOLDOUT).glob("*.csv"))
    return [example for path in paths for example in read_csv(path)]


def read_csv(path: Path, label: str | None = None) -> list[Example]:
    """Read rows of `text` and `label` (and optionally id, language, voice, author, flags), masked.

    With `label` every row has that label and the column may be missing. Raises
    DatasetError for a missing column, an empty cell or a repeated id.
    """
    rows = _rows(path)
    columns = next(rows)[1]
    for needed in ["text"] if label else ["text", "label"]:
        if needed not in columns:
            raise DatasetError(f"{path}:1: there is no column {needed!r} (found: {', '.join(columns) or 'nothing'})")
    seen: dict[str, int] = {}
    examples = []
    for line, cells in rows:
        if len(cells) != len(columns):
            raise DatasetError(f"{path}:{line}: has {len(cells)} fields instead of {len(columns)}")
        row = dict(zip(columns, cells, strict=True))
        _check_id(path, line, row.get("id", ""), seen)
        examples.append(_example(path, line, row, label))
    if not examples:
        raise DatasetError(f"{path}: has no rows")
    return examples


def _check_id(path: Path, line: int, row_id: str, seen: dict[str, int]) -> None:
    if row_id and row_id in seen:
        raise DatasetError(f"{path}:{line}: id {row_id!r} was used in line {seen[row_id]}")
    seen[row_id] = line


def _example(path: Path, line: int, row: dict[str, str], label: str | None) -> Example:
    text, name = row["text"].strip(), label or row["label"].strip()
    if not text:
        raise DatasetError(f"{path}:{line}: text is empty")
    if not name:
        raise DatasetError(f"{path}:{line}: label is empty")
    flags = frozenset(row.get("flags", "").split())
    if flags - FLAGS:
        raise DatasetError(f"{path}:{line}: unknown flags {', '.join(sorted(flags - FLAGS))}")
    rest = {field: row.get(field, "").strip() for field in ("language", "voice", "author")}
    return Example(redact(text).text, name, flags=flags, **rest)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells), the header first; `-` is stdin, `.gz` is unpacked."""
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(_content(path)), strict=True)
    begins = 1  # where the row being read begins: an open quote swallows all lines after it
    try:
        header = next(reader, [])
        begins = reader.line_num + 1
        yield 1, [cell.strip().lstrip("\ufeff") for cell in header]
        for cells in reader:
            if cells:
                yield reader.line_num, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DatasetError(f"{path}:{begins}: {error}") from None


def _content(path: Path) -> str:
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read()
        elif path.suffix == ".gz":
            data = gzip.decompress(path.read_bytes())
        else:
            data = path.read_bytes()
        return data.decode("utf-8").removeprefix("\ufeff")
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DatasetError(f"{path}:{line}: is not UTF-8") from None


def check_labels(examples: Sequence[Example], source: str) -> None:
    """Refuse a set that no classifier can learn from: one label only, or a label with one row."""
    counts = Counter(example.label for example in examples)
    if len(counts) < 2:
        raise DatasetError(f"{source}: label: needs at least two different labels, found {', '.join(counts) or 'none'}")
    rare = sorted(label for label, count in counts.items() if count < LEAST_ROWS_PER_LABEL)
    if rare:
        raise DatasetError(f"{source}: label: {', '.join(map(repr, rare))} has a single row, two are the least")


def data_hash(examples: Iterable[Example]) -> str:
    """Return a name for exactly these rows in this order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(f"{example.label}\x1f{example.text}\x1e".encode())
    return digest.hexdigest()[:16]


def near_duplicates(texts: Sequence[str], threshold: float = 0.8) -> list[tuple[int, int]]:
    """Return pairs of rows whose character TF-IDF cosine is at least `threshold`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not any(text.strip() for text in texts):
        return []
    matrix = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True).fit_transform(texts)
    pairs = []
    for start in range(0, matrix.shape[0], 512):
        close = (matrix[start : start + 512] @ matrix.T).tocoo()
        for row, column, cosine in zip(close.row, close.col, close.data, strict=True):
            if cosine >= threshold and start + row < column:
                pairs.append((start + int(row), int(column)))
    return pairs
