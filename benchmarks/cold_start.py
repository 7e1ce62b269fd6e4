"""What a new process costs: CPU and peak memory until `triage classify` has answered one row.

    python benchmarks/cold_start.py [--home DIR] [--training]

Every figure is the median of three new interpreters: CPU from getrusage of the ended
child (wait4), memory its VmHWM. Importing scikit-learn stands beside them, because
every peer pays that before its first answer. `--training` also trains once on the
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
# A child's ru_maxrss starts at its parent's memory, so each says its own peak as its last words.
LAST_WORDS = """
import atexit, sys
@atexit.register
def peak():
    with open("/proc/self/status") as status:
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")), file=sys.stderr)
"""
# No environment variable hides the encoder, so these interpreters mark it as looked for and not found.
BLIND = "from models import features; features._encoder[:] = [None]\n"
TRIAGE = "from triage.cli import main; main(sys.argv[1:])\n"
SKLEARN = "from sklearn import pipeline, linear_model; from sklearn.feature_extraction import text\n"
TRAINING = "training on the shipped data"
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


def cost_of(code: str, *arguments: str) -> Cost:
    """Run a new interpreter to its end; raises when it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        command = [sys.executable, "-c", LAST_WORDS + code, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, cwd=PROJECT)
        _, status, used = os.wait4(process.pid, 0)
        spent = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().splitlines()
    if process.returncode:
        raise SystemExit("\n".join([*said, f"exit code {process.returncode}: triage {' '.join(arguments)}"]))
    return Cost(used.ru_utime + used.ru_stime, spent, int(said[-1]) / 1024)


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
        row = Path(folder, "row.csv")
        row.write_text(ROW, encoding="utf-8")
        classify = ("classify", "--input", str(row), "--output", str(Path(folder, "answer.jsonl")))
        commands = {
            "triage --help": (TRIAGE, "--help"),
            "triage classify": (TRIAGE, *classify),
            "triage classify, without encoder": (BLIND + TRIAGE, *classify),
            "import scikit-learn, no model": (SKLEARN,),
        }
        found = {name: middle([cost_of(*args) for _ in range(arguments.repeats)]) for name, args in commands.items()}
    if arguments.training:
        found[TRAINING] = cost_of(TRAIN)
    for name, cost in found.items():
        figures = {"cpu_s": cost.cpu_s, "wall_s": cost.wall_s, "peak_mb": cost.peak_mb}
        note(arguments.out, script="cold_start", command=name, **{k: round(v, 3) for k, v in figures.items()})
    rows = [[name, cost.cpu_s, cost.wall_s, cost.peak_mb] for name, cost in found.items()]
    table(("command", "CPU s", "wall s", "peak MB"), rows)
    load_average("at end")


if __name__ == "__main__":
    main()
