"""Commands about tickets: file, classify, redact."""

from __future__ import annotations

import csv
import io
import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click

from triage.cli.common import BadInput, clear_errors, now, open_product, to_json

MAX_LINE = 2_000_000


@click.command()
@click.argument("text")
@click.option("--from", "requester", default="", metavar="EMAIL", help="Who reports it.")
@click.option("--unit", default="", help="Where they are.")
@click.option("--device", default="", help="The device's tag.")
@click.option("--care/--no-care", "affects_care", default=None, help="Is patient care affected?")
@click.option("--other-device/--no-other-device", default=None, help="Is there another device to use?")
@click.option("--whole-unit/--one-person", default=None, help="Is the whole unit affected?")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@clear_errors
def file(text: str, requester: str, unit: str, device: str, as_json: bool, **impact: bool | None) -> None:
    """File TEXT as a ticket, through the same pipeline as every channel. `-` reads it from stdin."""
    from triage import service
    from triage.ticket import ClinicalImpact, Message

    product = open_product()
    message = Message(
        raw_text=sys.stdin.buffer.read(MAX_LINE).decode("utf-8", "replace") if text == "-" else text,
        channel="cli",
        external_id=secrets.token_hex(16),
        requester=requester,
        unit=unit,
        device=device,
        impact=ClinicalImpact(**impact),
    )
    filed = service.receive(product.services, message, now())
    answer = service.summary(product.services, filed.id)
    if as_json:
        to_json(answer)
    else:
        _print_summary(answer)


def _print_summary(answer: dict[str, Any]) -> None:
    sure = f"{answer['confidence']:.0%} sure" if answer["category"] else "not sure"
    click.echo(f"{answer['ref']}  {answer['route']}  {answer['category'] or '-'} ({sure})")
    click.echo(f"  priority {answer['priority']}, team {answer['team']}, first answer by {answer['respond_by']}")
    for reason in answer["reasons"]:
        click.echo(f"  because {reason}")
    if answer["article"]:
        click.echo(f"  guided fix: {answer['article']}")


@click.command()
@click.option("--input", "source", default="-", metavar="F", help="CSV with a text column, or JSONL; - is stdin.")
@click.option("--output", "target", default="-", metavar="F", help="JSONL; - is stdout.")
@click.option("--model", "version", metavar="V", help="A stored model instead of the live one.")
@clear_errors
def classify(source: str, target: str, version: str | None) -> None:
    """Say what would happen to each text. Stores nothing."""
    from dataclasses import replace

    from triage import notices, service

    product = open_product()
    services = product.services
    if version:
        services = replace(services, classifier=product.classifier.load(version))
    rows = list(_texts(source))  # read whole, because the output may be the same file
    with _writing(target) as out:
        for row_id, text in rows:
            ticket, prediction, decision = service.judge(services, text, None, now())
            row = {
                "id": row_id,
                "category": decision.category,
                "top": [[slug, round(p, 6)] for slug, p in decision.top],
                "confidence": round(decision.confidence, 6),
                "route": decision.route.value,
                "team": decision.team,
                "priority": decision.priority.value,
                "action": decision.action or None,
                "language": ticket.language,
                "reasons": [notices.sentence(reason) for reason in decision.reasons],
                "masked_text": ticket.text,
                "model_version": prediction.model_version,
            }
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


@click.command()
@click.option("--input", "source", default="-", metavar="F", help="CSV with a text column, or JSONL; - is stdin.")
@click.option("--output", "target", default="-", metavar="F", help="JSONL; - is stdout.")
@clear_errors
def redact(source: str, target: str) -> None:
    """Mask patient identifiers in texts; offsets are Unicode code points of the input."""
    from triage import policy, settings
    from triage.redact import redact as mask

    keep = policy.load(settings.policy_path()).never_masked  # no data directory is needed, nor made
    rows = list(_texts(source))
    with _writing(target) as out:
        for row_id, text in rows:
            masked = mask(text, keep)
            spans = [{"start": s.start, "end": s.end, "type": s.type} for s in masked.spans]
            row = {"id": row_id, "masked_text": masked.text, "spans": spans}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


@contextmanager
def _writing(target: str) -> Iterator[TextIO]:
    if target == "-":
        yield sys.stdout
        return
    try:
        with Path(target).open("w", encoding="utf-8", errors="replace") as out:
            yield out
    except OSError as error:
        raise BadInput(f"{target}: {error.strerror or error}") from None


def _texts(source: str) -> Iterator[tuple[Any, str]]:
    """Yield (id, text) of a CSV or JSONL file; rows without an id are numbered from 1."""
    content = _read(source)
    if content.lstrip()[:1] == "{":
        yield from _json_texts(source, content)
    else:
        yield from _csv_texts(source, content)


def _read(source: str) -> str:
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise BadInput(f"{source}: {error.strerror or error}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadInput(f"{source}:{line}: is not UTF-8") from None


def _json_texts(source: str, content: str) -> Iterator[tuple[Any, str]]:
    seen: dict[Any, int] = {}
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise BadInput(f"{source}:{number}: is not JSON") from None
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise BadInput(f"{source}:{number}: text: must be a string")
        yield _row_id(source, number, row.get("id", number), seen), row["text"]


def _csv_texts(source: str, content: str) -> Iterator[tuple[Any, str]]:
    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(io.StringIO(content), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if "text" not in header:
            raise BadInput(f"{source}:1: there is no column 'text' (found: {', '.join(header) or 'nothing'})")
        seen: dict[Any, int] = {}
        for count, cells in enumerate(filter(None, reader), 1):
            if len(cells) != len(header):
                raise BadInput(f"{source}:{reader.line_num}: has {len(cells)} fields instead of {len(header)}")
            row = dict(zip(header, cells, strict=True))
            yield _row_id(source, reader.line_num, row.get("id") or count, seen), row["text"]
    except csv.Error as error:
        raise BadInput(f"{source}:{reader.line_num}: {error}") from None


def _row_id(source: str, line: int, row_id: Any, seen: dict[Any, int]) -> Any:
    if not isinstance(row_id, str | int):
        raise BadInput(f"{source}:{line}: id: must be a string or a number")
    if row_id in seen:
        raise BadInput(f"{source}:{line}: id: {row_id!r} was used in line {seen[row_id]}")
    seen[row_id] = line
    return row_id
