"""Files 100 tickets that name invented patients, uses the product, and looks for those names and numbers everywhere.

    python benchmarks/leak_sweep.py [--home DIR]

The tickets come over the command line and the HTTP API; some are corrected, a model is
trained on them and made live, everything is exported and backed up, and the product is
started again. Then every file of the data directory, every column of every table, the
model's vocabulary, the pages, the exports, the backup, the logs and what the console
notifier printed are searched. A marker that the masker hid in its ticket must be
nowhere; one that it missed is counted, mended, and must be gone from the database then.
Exit code 1 when one is found. Takes some minutes: the models are real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from report import PROJECT, table
from sqlalchemy import select

from models.features import prepare
from triage import bootstrap, service, settings
from triage.redact.words import name_lists
from triage.store import classifiers, tickets
from triage.store.tables import Base

TRIAGE = [sys.executable, "-m", "triage"]
OVER_COMMAND = 15  # the others come over HTTP
CORRECTED = 40
SEED = 11
# Written by hand, in the ways people write; {given} {family} {number} {phone} {birth} are the markers.
TEXTS = (
    "wristband for {given} {family} MRN {number} prints blank on 4W",
    "pt {given_low} {family_low} in rm 4012 not showing on the board, chart {number}",
    "wrong chart opened: {family_up}, {given_up} dob {birth}",
    "Label printer prints the old address for Mrs {family}, MRN {number}",
    "{family_up}^{given_up} rejected by the lab interface, accession {number}",
    "portal proxy for mom of {given} {family} fails, her cell is {phone}",
    "Le bracelet de Mme {given} {family} ne s'imprime pas, dossier {number}",
    "le dossier de {given_low} {family_low} ({number}) ouvre un autre patient",
    "PACS: images of {given} {family} {birth} landed under another name",
    "discharge summary of patient {family} faxed to the wrong number {phone}",
    "can't merge {given} {family} mrn {number} and {given_up} {family_up}, same birth date {birth}",
    "Pyxis does not show {family}, {given} - MRN: {number} - since the transfer",
    "telehealth link for {given} {family} ({phone}) says meeting ended",
    "barcode of {given_low} {family_low} scans as unknown, encounter {number}",
    "résultats de {given} {family}, née le {birth}, envoyés au mauvais médecin",
    "Mr {family} cannot log in to the patient portal, phone {phone}",
    "allergy banner missing for {given} {family} / {number}, reload does nothing",
    "dictation for {family_up} {given_up} went into the chart of somebody else, number {number}",
    "interpreter tablet shows last patient {given} {family} on the welcome screen",
    "la requête de {family_up}, {given} (dossier {number}) est bloquée dans l'interface labo",
)


@dataclass(frozen=True)
class Filed:
    """One ticket of the sweep: what was sent, and the markers in it."""

    text: str
    markers: tuple[str, ...]


def people_made_up(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Yield names of the lists that no text of the project holds, so that every find is a leak."""
    known = prepare(" ".join(path.read_text("utf-8") for path in texts_of_project()))
    both = [sorted(n for n in names if n.isascii() and n.isalpha() and len(n) > 5) for names in name_lists()]
    for names in both:
        chance.shuffle(names)
    unknown = [(name for name in names if name not in known) for names in both]  # not even inside a word
    yield from zip(*unknown, strict=False)


def texts_of_project() -> Iterator[Path]:
    for folder in ("training_data", "triage/articles", "web", "benchmarks"):
        for path in sorted((PROJECT / folder).rglob("*")):
            if path.suffix in (".csv", ".txt", ".md", ".html", ".py"):
                yield path


def a_ticket(number: int, name: tuple[str, str], chance: random.Random) -> Filed:
    given, family = (part.title() for part in name)
    template = TEXTS[number % len(TEXTS)]
    birth = f"{chance.randrange(1930, 2015)}-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    values = {
        "given": given,
        "family": family,
        "number": f"{chance.randrange(10**7, 10**8)}",
        "phone": f"416-555-{chance.randrange(10**4):04d}",
        "birth": birth,
    }
    used = [values[n] for n in values if "{" + n in template]
    spelt = {f"{n}_low": values[n].lower() for n in ("given", "family")}
    spelt |= {f"{n}_up": values[n].upper() for n in ("given", "family")}
    return Filed(template.format(**values, **spelt), tuple(used))


class Product:
    """The product as an operator runs it: its own processes, home and port."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.env = os.environ | {"TRIAGE_HOME": str(home / "home"), "TRIAGE_PORT": str(self.port)}
        self.said = home / "said"
        self.said.mkdir()
        self._number = 0

    def command(self, *arguments: str) -> str:
        done = subprocess.run([*TRIAGE, *arguments], capture_output=True, text=True, env=self.env, check=True)
        self.keep(f"command {arguments[0]}", done.stdout + done.stderr)
        return done.stdout

    def keep(self, name: str, text: str) -> None:
        """Keep something the product said, to be searched later."""
        self._number += 1
        (self.said / f"{self._number:03d} {name}.txt").write_text(text, encoding="utf-8")

    def start(self) -> subprocess.Popen[bytes]:
        self._number += 1
        out = (self.said / f"{self._number:03d} up.txt").open("wb")
        running = subprocess.Popen([*TRIAGE, "up"], stdout=out, stderr=subprocess.STDOUT, env=self.env)
        for _ in range(600):
            try:
                if urllib.request.urlopen(f"{self.url}/readyz", timeout=2).status == 200:
                    return running
            except OSError:
                time.sleep(1)
        raise SystemExit("the product did not start")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, token: str, body: dict[str, str] | None = None) -> str:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=60) as answer:
            said: str = answer.read().decode()
        self.keep(f"answer {path.partition('?')[0].replace('/', ' ')}", said)
        return said


def use(product: Product, filed: list[Filed]) -> None:
    """File, correct, retrain, export, back up and start again."""
    token = product.command("token", "add", "sweep", "--scope", "tickets:read,tickets:write,security:read").strip()
    running = product.start()
    for number, one in enumerate(filed):
        if number < OVER_COMMAND:
            product.command("file", one.text, "--from", f"person{number}@example.org", "--unit", "4 West")
        else:
            body = {"text": one.text, "requester": f"person{number}@example.org", "external_id": f"s-{number}"}
            product.ask("/api/v1/tickets", token, body)
    for path in ("/api/v1/tickets?limit=200", "/metrics", "/healthz", "/readyz", "/sign-in"):
        product.ask(path, token)
    time.sleep(20)  # the worker tells everyone
    running.terminate()
    running.wait()
    inside = opened(product)
    for row in listed(inside)[:CORRECTED]:
        service.correct(inside.services, tickets.ref_of(row.id), "printer", "agent@example.org", datetime.now(UTC))
    product.command("train", "--promote")
    product.command("access", "--user", "token:sweep")
    product.command("access", "--ticket", "IT-3")
    product.command("breach", "list")
    product.command("backup", str(product.home / "backup.db"))
    running = product.start()
    product.ask("/api/v1/tickets?limit=200", token)
    running.terminate()
    running.wait()


def opened(product: Product) -> bootstrap.Product:
    os.environ.update({name: value for name, value in product.env.items() if name.startswith("TRIAGE_")})
    return bootstrap.build(settings.load())


def listed(inside: bootstrap.Product) -> list[tickets.Row]:
    rows = inside.services.transactions.read(
        lambda conn: conn.execute(select(tickets.TicketRow.__table__).order_by(tickets.TicketRow.id)).all()
    )
    return [row for row in rows if row.requester.startswith("person")]


def places_of(product: Product, inside: bootstrap.Product) -> Iterator[tuple[str, str]]:
    """Yield (where, lower-case text) of everything that could hold a word."""
    for path in sorted([*product.said.iterdir(), *(product.home / "home").rglob("*"), product.home / "backup.db"]):
        if path.is_file():
            yield f"file {path.relative_to(product.home)}", path.read_bytes().decode("latin-1").lower()
    yield from database(inside)
    for version in [row.version for row in inside.services.transactions.read(classifiers.all_models)]:
        model = inside.classifier.load(version)
        for view in ("words", "chars"):
            yield f"model {version} {view}", "\n".join(getattr(model._model, view).index)  # noqa: SLF001 - the vocabulary


def database(inside: bootstrap.Product) -> Iterator[tuple[str, str]]:
    with inside.engine.connect() as conn:
        for one in Base.metadata.sorted_tables:
            for row in conn.execute(select(one)).mappings():
                for name, value in row.items():
                    text = value.decode("latin-1") if isinstance(value, bytes) else json.dumps(value, default=str)
                    yield f"table {one.name}.{name}", text.lower()


def hits(markers: set[str], places: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (marker, where) of every marker found, each place named once."""
    wanted = {marker: marker.lower() for marker in markers}
    found = {(marker, where) for where, text in places for marker, low in wanted.items() if low in text}
    return sorted(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, help="an empty directory to work in")
    arguments = parser.parse_args()
    home = arguments.home or Path(tempfile.mkdtemp(prefix="sweep"))
    chance = random.Random(SEED)
    names = people_made_up(chance)
    filed = [a_ticket(number, next(names), chance) for number in range(100)]
    product = Product(home)
    use(product, filed)
    inside = opened(product)
    rows = {int(row.requester.partition("@")[0].removeprefix("person")): row for row in listed(inside)}
    missed = {m for n, one in enumerate(filed) for m in one.markers if m.lower() in rows[n].text.lower()}
    hidden = {m for one in filed for m in one.markers} - missed
    leaks = hits(hidden, places_of(product, inside))
    for marker, where in leaks:
        print(f"LEAK {marker} in {where}")
    for number, one in enumerate(filed):
        for marker in one.markers:
            if marker in missed:
                ref = tickets.ref_of(rows[number].id)
                service.mend(inside.services, ref, marker, "NAME", "agent@example.org", datetime.now(UTC))
    left = hits(hidden | missed, database(inside))
    faults = subprocess.run([*TRIAGE, "verify"], env=product.env, capture_output=True, text=True, check=False)
    table(
        ("what", "ours", "target"),
        [
            ("markers filed", len(hidden) + len(missed), ""),
            ("hidden by the masker", len(hidden), ""),
            ("missed by the masker", len(missed), ""),
            ("hidden ones found anywhere else", len(leaks), "0"),
            ("any found in the database once the missed were mended", len(left), "0"),
            ("`triage verify` afterwards, faults", faults.returncode, "0"),
        ],
    )
    print(f"Everything that was searched lies in {home}")
    raise SystemExit(1 if leaks or left or faults.returncode else 0)


if __name__ == "__main__":
    main()
