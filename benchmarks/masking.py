"""The masker on tickets whose authors it has not learned from, beside Presidio in the same run.

    python benchmarks/masking.py [--presidio PYTHON] [--left-out] [--misses N]

Uses the frozen set. `--presidio` names an interpreter that has presidio-analyzer and the
spaCy core models of English and French; it is no dependency of the product.
`--left-out` instead learns without each training author in turn and judges that author's
tickets: what the thresholds were chosen on. Costs are CPU, of one process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from report import load_average, note, table

from models import tagger
from models.masking import Marked, covered, load_marked, measure
from triage import redact
from triage.redact import learned
from triage.ticket import Span

TARGETS = {
    "structured": ">= 0.98",
    "names": ">= 0.97",
    "all": ">= 0.97",
    "French": ">= 0.95",
    "kept": ">= 0.98",
    "unchanged": ">= 0.92",
    "no leak": ">= 0.95",
    "ms mean": "<= 2",
    "ms p99": "<= 10",
}
ASK_PRESIDIO = """
import json, sys, time
import spacy
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider
names = spacy.util.get_installed_models()
models = [{"lang_code": c, "model_name": next(n for n in names if n.startswith(c + "_core"))} for c in ("en", "fr")]
engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en", "fr"])
for line in sys.stdin:
    text, language = json.loads(line)
    began = time.process_time()
    found = analyzer.analyze(text=text, language=language)
    spent = 1000 * (time.process_time() - began)
    print(json.dumps([[[f.start, f.end, f.entity_type] for f in found], spent]), flush=True)
"""
COLD = """
import time
def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096 / 1e6
began, before = time.process_time(), resident()
from triage.redact import redact
redact("pt jane sample MRN 0012345")
print(time.process_time() - began, resident() - before)
"""

Answers = dict[str, list[Span]]


def ours(tickets: Sequence[Marked]) -> tuple[Answers, list[float]]:
    redact.redact(tickets[0].text)
    found, spent = {}, []
    for ticket in tickets:
        began = time.thread_time()
        found[ticket.text] = list(redact.find_spans(ticket.text))
        spent.append(1000 * (time.thread_time() - began))
    return found, spent


def presidio(python: str, tickets: Sequence[Marked]) -> tuple[Answers, list[float]]:
    asked = "".join(json.dumps([t.text, "fr" if t.language == "fr" else "en"]) + "\n" for t in tickets)
    done = subprocess.run([python, "-c", ASK_PRESIDIO], input=asked, text=True, capture_output=True, check=True)
    found, spent = {}, []
    for ticket, line in zip(tickets, done.stdout.splitlines(), strict=True):
        spans, ms = json.loads(line)
        found[ticket.text] = [Span(*span) for span in spans]
        spent.append(ms)
    return found, spent


def left_out(tickets: Sequence[Marked]) -> tuple[Answers, list[float]]:
    """Judge every author's tickets by weights learned from the others'."""
    texts, found, spent = tagger.ticket_texts(), {}, []
    shipped = learned.load
    for author in sorted({ticket.author for ticket in tickets}):
        made = tagger.learn([ticket for ticket in tickets if ticket.author != author], texts)
        learned.load = lambda made=made: made
        answers, ms = ours([ticket for ticket in tickets if ticket.author == author])
        found |= answers
        spent += ms
    learned.load = shipped
    return found, spent


def cold() -> tuple[float, float]:
    """Return CPU seconds and MB that the first masking of a new process costs."""
    said = subprocess.run(
        [sys.executable, "-c", COLD], text=True, capture_output=True, check=True, cwd=Path(__file__).parents[1]
    )
    seconds, megabytes = map(float, said.stdout.split())
    return seconds, megabytes


def figures(tickets: Sequence[Marked], answers: Answers, spent: list[float]) -> dict[str, float]:
    ranked = sorted(spent)
    found = measure(tickets, answers.__getitem__)
    return found | {"ms mean": sum(spent) / len(spent), "ms p99": ranked[int(len(ranked) * 0.99)]}


def misses(tickets: Sequence[Marked], answers: Answers) -> Iterator[tuple[str, str, str]]:
    """Yield ticket, what went wrong and the words around it."""
    for ticket in tickets:
        hidden = covered(ticket.text, answers[ticket.text])
        for mark in ticket.marks:
            where = range(mark.start, mark.end)
            leaks = mark in ticket.identifiers and not all(hidden[i] or not ticket.text[i].isalnum() for i in where)
            if leaks or (mark.type == "KEEP" and any(hidden[i] for i in where)):
                around = ticket.text[max(0, mark.start - 40) : mark.end + 30]
                yield ticket.id, f"{'leaks' if leaks else 'eaten'} {mark.type}", around


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presidio", help="an interpreter that has it")
    parser.add_argument("--left-out", action="store_true")
    parser.add_argument("--misses", type=int, default=0, help="also print so many misses")
    parser.add_argument("--out", type=Path, help="append one JSON line per system")
    arguments = parser.parse_args()
    load_average("at start")
    tickets = load_marked(holdout=not arguments.left_out)
    judge: Callable[[Sequence[Marked]], tuple[Answers, list[float]]] = left_out if arguments.left_out else ours
    answers, spent = judge(tickets)
    systems = {"ours": figures(tickets, answers, spent)}
    if arguments.presidio:
        systems["Presidio"] = figures(tickets, *presidio(arguments.presidio, tickets))
    names = [*TARGETS, *sorted(set(systems["ours"]) - set(TARGETS))]
    table(("what", *systems, "target"), [[n, *(s.get(n) for s in systems.values()), TARGETS.get(n, "")] for n in names])
    for name, found in systems.items():
        note(arguments.out, script="masking", system=name, **{k: round(v, 4) for k, v in found.items()})
    seconds, megabytes = cold()
    print(f"first masking of a new process: {seconds:.2f} s CPU (target 0.5), {megabytes:.0f} MB (target 80)")
    for ticket, what, around in list(misses(tickets, answers))[: arguments.misses]:
        print(f"{ticket} {what}: {around!r}")
    load_average("at end")


if __name__ == "__main__":
    main()
