"""What a new process costs: CPU and peak memory until `triage classify` has answered one row.

    python benchmarks/cold_start.py [--home DIR] [--training]

Every figure is the median of three new interpreters; CPU and memory are what the
system reports of the ended process (wait4). `--training` also trains once on the
shipped data, storing nothing. The data directory needs a live model and is only read.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from report import PROJECT, load_average, note, table

ROW = 'text\n"The label printer on 4 West prints blank wristbands since this morning, power cycled twice"\n'
# No environment variable hides the encoder, so these interpreters mark it as looked for and not found.
BLIND = "import sys; from models import features; features._encoder[:] = [None]\n"
CLASSIFY = "from triage.cli import main; main(['classify', '--input', sys.argv[1], '--output', sys.argv[2]])\n"
TRAIN = """
from models.dataset import load_shipped
from models.features import encoder
from models.train import train
from triage import policy
train(load_shipped(policy.load().categories), encoder())
"""


@dataclass(frozen=True)
class Cost:
    """What one process used."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def cost_of(arguments: list[str]) -> Cost:
    """Run a new interpreter to its end; raises when it fails."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, cwd=PROJECT)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit code {process.returncode}: python {' '.join(arguments)[:200]}")
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - began, used.ru_maxrss / 1024)


def middle(costs: list[Cost]) -> Cost:
    return Cost(*(median(getattr(cost, name) for cost in costs) for name in ("cpu_s", "wall_s", "peak_mb")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="data directory with a live model (default: as the product)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--training", action="store_true", help="also train once on the shipped data")
    parser.add_argument("--out", type=Path, help="append one JSON line per measurement")
    arguments = parser.parse_args()
    if arguments.home:
        os.environ["TRIAGE_HOME"] = str(arguments.home.resolve())
    load_average("at start")
    with tempfile.TemporaryDirectory() as folder:
        row, answer = Path(folder, "row.csv"), Path(folder, "answer.jsonl")
        row.write_text(ROW, encoding="utf-8")
        commands = {
            "triage --help": ["-m", "triage", "--help"],
            "triage classify": ["-m", "triage", "classify", "--input", str(row), "--output", str(answer)],
            "triage classify, without encoder": ["-c", BLIND + CLASSIFY, str(row), str(answer)],
        }
        found = {name: middle([cost_of(args) for _ in range(arguments.repeats)]) for name, args in commands.items()}
    if arguments.training:
        found["training on the shipped data"] = cost_of(["-c", TRAIN])
    for name, cost in found.items():
        figures = {"cpu_s": cost.cpu_s, "wall_s": cost.wall_s, "peak_mb": cost.peak_mb}
        note(arguments.out, script="cold_start", command=name, **{k: round(v, 3) for k, v in figures.items()})
    rows = [[name, cost.cpu_s, cost.wall_s, cost.peak_mb] for name, cost in found.items()]
    table(("command", "CPU s", "wall s", "peak MB"), rows)
    load_average("at end")


if __name__ == "__main__":
    main()
