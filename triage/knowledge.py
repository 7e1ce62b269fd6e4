"""Owns the guided-fix articles: reads them, and finds the one that fits a ticket's words; refuses to decide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from triage.cues import words
from triage.policy import SafeLoader
from triage.ticket import LANGUAGES

BUILT_IN = Path(__file__).with_name("articles")
_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "at",
        "be",
        "but",
        "by",
        "can",
        "cant",
        "do",
        "does",
        "for",
        "from",
        "has",
        "have",
        "how",
        "i",
        "in",
        "is",
        "it",
        "its",
        "me",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "so",
        "that",
        "the",
        "there",
        "this",
        "to",
        "up",
        "was",
        "we",
        "when",
        "will",
        "with",
        "you",
        "au",
        "aux",
        "ce",
        "cela",
        "ces",
        "dans",
        "de",
        "des",
        "du",
        "elle",
        "en",
        "est",
        "et",
        "il",
        "je",
        "la",
        "le",
        "les",
        "leur",
        "lui",
        "ma",
        "mais",
        "me",
        "mes",
        "mon",
        "ne",
        "nos",
        "notre",
        "nous",
        "on",
        "ou",
        "par",
        "pas",
        "pour",
        "qu",
        "que",
        "qui",
        "sa",
        "se",
        "ses",
        "son",
        "sur",
        "un",
        "une",
        "vous",
    ]
)

_GENERAL = 0.01  # any article with a symptom in the text beats the general one


class ArticleError(Exception):
    """An article file that cannot be used, named with its fault."""


@dataclass(frozen=True, slots=True)
class Article:
    """One guided fix in one language. `minutes_saved` is an honest estimate of a technician's time."""

    slug: str
    language: str
    title: str
    category: str
    symptoms: tuple[str, ...]
    minutes_saved: int
    owner: str
    written: str
    general: bool
    body: str


@dataclass(frozen=True)
class Knowledge:
    """All articles by (slug, language)."""

    articles: dict[tuple[str, str], Article]

    def get(self, slug: str, language: str) -> Article | None:
        """Return one article in `language`, English where that is missing."""
        return self.articles.get((slug, language)) or self.articles.get((slug, "en"))

    def best(self, category: str, text: str, language: str) -> str:
        """Return the slug of the category's article that fits a masked text best, "" when it has none.

        The score of an article is the best share of one of its symptoms' words found
        in the text, longer symptoms winning ties; the category's general article
        stands in where no symptom is found whole or nearly so.
        """
        seen = frozenset(words(text))
        spoken = language if language in LANGUAGES else "en"
        best, chosen = 0.0, ""
        for article in self.articles.values():
            if article.category == category and article.language == spoken:
                score = _score(article.symptoms, seen)
                if article.general:  # stands in where nothing fits, and loses every tie
                    score = max(_GENERAL, score * 0.999)

                if score > best:
                    best, chosen = score, article.slug
        return chosen


def _score(symptoms: tuple[str, ...], seen: frozenset[str]) -> float:
    best = 0.0
    for symptom in symptoms:
        wanted = _content(symptom)
        share = len(wanted & seen) / len(wanted) if wanted else 0.0
        if share * 3 >= 2:  # two words out of three: one shared word is chance
            best = max(best, share * (1 + len(wanted) / 10))
    return best


@lru_cache(maxsize=4096)
def _content(symptom: str) -> frozenset[str]:
    all_words = frozenset(words(symptom))
    return (all_words - _COMMON) or all_words  # "pas de son" is made of common words alone


def load(folder: Path | None = None) -> Knowledge:
    """Read every `<slug>.<language>.md` of `folder` (the built-in ones by default).

    Raises ArticleError naming the file when front matter is missing or wrong.
    """
    found: Iterable[Path] = sorted((folder or BUILT_IN).glob("*.md"))
    return Knowledge({(a.slug, a.language): a for a in map(_read, found)})


def _read(path: Path) -> Article:
    slug, _, language = path.stem.rpartition(".")
    if not slug or language not in LANGUAGES:
        raise ArticleError(f"{path}: the name must end in .en.md or .fr.md")
    try:
        _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
        meta = yaml.load(front, Loader=SafeLoader)  # noqa: S506 - a SafeLoader, by another name
        return Article(
            slug=slug,
            language=language,
            title=str(meta["title"]),
            category=str(meta["category"]),
            symptoms=_texts(meta["symptoms"]),
            minutes_saved=int(meta["minutes_saved"]),
            owner=str(meta["owner"]),
            written=str(meta["written"]),
            general=bool(meta.get("general", False)),
            body=body.strip(),
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError, yaml.YAMLError) as error:
        raise ArticleError(f"{path}: {type(error).__name__}: {error}") from None


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("symptoms must be a list")
    return tuple(map(str, value))
