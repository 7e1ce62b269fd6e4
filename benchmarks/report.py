"""What the benchmarks share: where the project lies, plain tables, one JSON line per figure."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT / ".." / "shared" / "data"


def note(out: Path | None, **figures: Any) -> None:
    """Append one measurement to `out`, if there is one."""
    if out:
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures, ensure_ascii=False) + "\n")


def read(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows under a header: text to the left, numbers to the right, None as a dash."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    numeric = [all(isinstance(value, int | float | None) for value in column) for column in zip(*rows, strict=True)]
    for line in [list(header), *cells]:
        aligned = zip(line, widths, numeric or [False] * len(header), strict=True)
        print("  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in aligned).rstrip())
    print(flush=True)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"
    return str(value)


def load_average(when: str) -> None:
    """Print how busy the machine is: wall times of a busy one mean little."""
    print(f"load average {when}: {' '.join(f'{value:.2f}' for value in os.getloadavg())}, {os.cpu_count()} cores\n")
