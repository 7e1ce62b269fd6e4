"""Every benchmark one after the other, and at the end our figure beside the best peer and the target.

    python benchmarks/run.py [--full] [--home DIR] [--dir DIR] [--out FILE]

Without `--full` the classifiers are compared on 300 and 1,000 rows only; with it on
the whole training file too. Nothing here fails a build: figures depend on the machine.
The exit code is 1 when a script could not run, not when a target was missed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from report import PROJECT, note, read, table

BOARD_LINE = re.compile(r"^(\S.*?)\s+(-?\d+\.\d{3}|nan)(?:\s+(\S.*))?$")
TARGET = re.compile(r"^(>=|<=)?\s*(\d+(?:\.\d+)?)")
FRENCH = "at most 0.05 below English"
FEW_ROWS = 5000  # a larger training set is the whole file


@dataclass(frozen=True)
class Figure:
    """One line of the last table."""

    script: str
    name: str
    ours: float | None
    peer: float | None = None
    who: str = ""
    target: str = ""
    met: str = ""


def judged(figure: Figure) -> Figure:
    """Return the figure with "yes" or "NO" where its target is a plain comparison."""
    found = TARGET.match(figure.target)
    if figure.met or figure.ours is None or not found:
        return figure
    sign, limit = found[1], float(found[2])
    met = figure.ours >= limit if sign == ">=" else figure.ours <= limit if sign == "<=" else figure.ours == limit
    return Figure(**(asdict(figure) | {"met": "yes" if met else "NO"}))


def best(rows: list[dict[str, Any]], fields: tuple[str, ...], pick: Callable[..., Any]) -> tuple[float | None, str]:
    """Return the best value any peer has in any of the fields, and whose it is."""
    values = [
        (row[field], row["model"])
        for row in rows
        for field in fields
        if not row["model"].startswith("ours") and row.get(field) is not None
    ]
    return pick(values) if values else (None, "none ran")


def from_board(printed: str) -> Iterator[Figure]:
    found = [match.groups() for line in printed.splitlines() if (match := BOARD_LINE.match(line))]
    value = {name: float(number) for name, number, _ in found}
    for name, number, target in found:
        met = ""
        if target == FRENCH and "macro-F1, English" in value:
            met = "yes" if float(number) >= value["macro-F1, English"] - 0.05 else "NO"
        yield Figure("board", name, float(number), target=target or "", met=met)


def from_classifiers(records: list[dict[str, Any]]) -> Iterator[Figure]:
    means = [r for r in records if "mean_accuracy" in r]
    for size, target in ((300, ">= 0.680"), (1000, ">= 0.762")):
        rows = [r for r in means if r["rows"] == size]
        for ours in (r for r in rows if r["model"].startswith("ours")):
            peer, who = best(rows, ("mean_accuracy",), max)
            words = ours["model"].removeprefix("ours")
            yield Figure(
                "classifiers", f"accuracy, {size} rows, {ours['seeds']} seeds{words}", ours["mean_accuracy"], peer, who,
                target,
            )  # fmt: skip
    whole = [r for r in records if r["rows"] > FEW_ROWS and "seed" not in r]
    ours = next((r for r in whole if r["model"] == "ours"), {})
    for name, fields, pick, target in (
        ("accuracy, whole file", ("all_rows_accuracy", "accuracy"), max, ">= 0.855"),
        ("macro-F1, whole file", ("all_rows_macro_f1", "macro_f1"), max, ">= 0.850"),
        ("calibration error (ECE), whole file", ("ece",), min, "<= 0.015"),
        ("coverage at 95% precision, whole file", ("coverage_95",), max, ""),
        ("training CPU s, whole file", ("train_cpu_s",), min, ""),
        ("classify, CPU ms p50, whole file", ("cpu_ms_p50",), min, ""),
    ):
        if whole:
            peer, who = best(whole, fields, pick)
            yield Figure("classifiers", name, ours.get(fields[0]), peer, who, target)


def from_cold_start(records: list[dict[str, Any]]) -> Iterator[Figure]:
    targets = {"triage classify": "<= 2.5", "training on the shipped data": "<= 90"}
    peer = next((r for r in records if r["command"].startswith("import")), {})
    for field, unit in (("cpu_s", "CPU s"), ("peak_mb", "peak MB")):
        for r in records:
            beside = {"peer": peer.get(field), "who": peer["command"]} if "classify" in r["command"] else {}
            target = targets.get(r["command"], "") if field == "cpu_s" else ""
            if r is not peer:
                yield Figure("cold_start", f"{r['command']}, {unit}", r[field], target=target, **beside)


def from_intake(records: list[dict[str, Any]]) -> Iterator[Figure]:
    rows = {r["variant"]: r for r in records if r.get("filers") == 32}
    if not rows:
        return
    ours, raw = rows["product: file_ticket"], rows["raw, group commit"]
    peers = [row for name, row in rows.items() if row not in (ours, raw)]
    quickest = max(peers, key=lambda row: row["rate"])
    who = quickest["variant"]
    yield Figure("intake", "tickets/s, 32 filers", ours["rate"], raw["rate"], raw["variant"])
    yield Figure("intake", "share of raw group commit, 32 filers", ours["share"], quickest["share"], who, ">= 0.5")
    yield Figure("intake", "p99 ms, 32 filers", ours["p99_ms"], raw["p99_ms"], raw["variant"], "<= 60")
    for r in records:
        if "disk" in r:
            yield Figure("intake", f"fdatasync/s {r['disk']} (append)", r["append"])


def run(script: str, arguments: list[str], out: Path) -> tuple[list[Figure], bool]:
    """Run one script to its end, its output as it comes, and return its figures and whether it worked."""
    print(f"--- {script} {' '.join(arguments)}\n", flush=True)
    command = [sys.executable, str(PROJECT / "benchmarks" / f"{script}.py"), *arguments]
    if script == "board":
        done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, flush=True)
        figures = list(from_board(done.stdout))
    else:
        done = subprocess.run([*command, "--out", str(out)], cwd=PROJECT, check=False)
        reader = {"classifiers": from_classifiers, "cold_start": from_cold_start, "intake": from_intake}[script]
        figures = list(reader([record for record in read(out) if record["script"] == script]))
    if done.returncode:
        figures.append(Figure(script, f"failed with exit code {done.returncode}", None))
    return figures, not done.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="classifiers on the whole training file too")
    parser.add_argument("--home", type=Path, help="data directory with a live model (default: as the product)")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="a folder on the disk to measure")
    parser.add_argument("--out", type=Path, help="write the last table as JSON lines, and all measurements before it")
    arguments = parser.parse_args()
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(library, "1")
    home = ["--home", str(arguments.home.resolve())] if arguments.home else []
    steps = {
        "board": home,
        "classifiers": ["--rows", "300", "1000", "--seeds", "5", *(["--full"] if arguments.full else [])],
        "cold_start": [*home, "--training"],
        "intake": ["--dir", str(arguments.dir.resolve())],
    }
    figures: list[Figure] = []
    worked = True
    with tempfile.TemporaryDirectory() as folder:
        measured = Path(folder, "measured.jsonl")
        for script, more in steps.items():
            found, fine = run(script, more, measured)
            figures += map(judged, found)
            worked &= fine
        for record in read(measured):
            note(arguments.out, **record)
    for figure in figures:
        note(arguments.out, figure=True, **asdict(figure))
    table(("script", "figure", "ours", "best peer", "which", "target", "met"), [[*asdict(f).values()] for f in figures])
    sys.exit(0 if worked else 1)


if __name__ == "__main__":
    main()
