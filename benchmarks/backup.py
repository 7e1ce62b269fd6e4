"""Backup under load, loss, restore and verification of a database of 50,000 tickets, by the operator's commands.

    python benchmarks/backup.py [--tickets N] [--sealed] [--out FILE]

Another process files tickets while the backup is taken; every ticket acknowledged before
it began must be in the restored database. Then one bit of the backup is flipped and the
restore must refuse. Wall times: they depend on the machine and its disk.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import load_average, note, table

WRITER = """
import itertools, sys
from datetime import UTC, datetime
from triage import bootstrap, service, settings
from triage.cli.common import set_up_logs
from triage.ticket import Message
set_up_logs()
services = bootstrap.build(settings.load()).services
for number in itertools.count():
    filed = service.receive(services, Message("zebra printer on 4W jams", "load", f"w-{number}"), datetime.now(UTC))
    print(filed.ticket.ref, flush=True)
"""
TARGET = 300.0  # seconds each way


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickets", type=int, default=50_000)
    parser.add_argument("--sealed", action="store_true", help="with a key")
    parser.add_argument("--out", type=Path, help="append one JSON line")
    arguments = parser.parse_args()
    load_average("at start")
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder), arguments.tickets, sealed=arguments.sealed)
    table(("what", "ours", "target"), rows)
    note(arguments.out, script="backup", sealed=arguments.sealed, **{name: value for name, value, _ in rows})


def measured(folder: Path, count: int, *, sealed: bool) -> list[tuple[str, object, str]]:
    env = os.environ | {"TRIAGE_HOME": str(folder / "home"), "TRIAGE_SECRET_KEY": "a benchmark's key, no secret at all"}
    if sealed:
        env["TRIAGE_DATA_KEYS"] = run(env, "key", "new").stdout.strip()
    run(env, "init")
    run(env, "seed", str(count))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    before = [writer.stdout.readline().strip() for _ in range(20)]  # type: ignore[union-attr]  # a pipe was asked for
    saved = timed(env, "backup", str(folder / "b.db"))
    writer.kill()
    meanwhile = len(before) + len(writer.stdout.read().split())  # type: ignore[union-attr]  # as above
    size = (folder / "b.db").stat().st_size / 1e6
    shutil.rmtree(folder / "home")
    restored = timed(env, "restore", str(folder / "b.db"))
    verified = timed(env, "verify")
    there = len([ref for ref in before if run(env, "access", "--ticket", ref).returncode == 0])
    flipped = flip(folder / "b.db")
    shutil.rmtree(folder / "home")
    refused = run(env, "restore", str(flipped), check=False)
    print(f"the flipped bit: {refused.stderr.strip().splitlines()[-1]}\n")
    return [
        ("tickets", count, ""),
        ("MB", round(size, 1), ""),
        ("backup under load, s", round(saved, 2), f"<= {TARGET:.0f}"),
        ("filed meanwhile", meanwhile, ""),
        ("restore, s", round(restored, 2), f"<= {TARGET:.0f}"),
        ("verify, s", round(verified, 2), ""),
        ("acknowledged before and lost", len(before) - there, "0"),
        ("a flipped bit refused", int(refused.returncode == 1), "1"),
    ]


def run(env: dict[str, str], *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "triage", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=check)


def timed(env: dict[str, str], *arguments: str) -> float:
    began = time.monotonic()
    run(env, *arguments)
    return time.monotonic() - began


def flip(path: Path) -> Path:
    """Write a copy of a file with one bit changed."""
    content = bytearray(path.read_bytes())
    content[random.Random(7).randrange(len(content))] ^= 1
    path.with_name("flipped.db").write_bytes(content)
    return path.with_name("flipped.db")


if __name__ == "__main__":
    main()
