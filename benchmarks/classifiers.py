"""The trainer against its peers on real tickets with somebody else's labels: same rows, same run.

    python benchmarks/classifiers.py                        # the whole training file
    python benchmarks/classifiers.py --rows 300 1000 --seeds 5   # learning curve
    python benchmarks/classifiers.py --full --rows 300 1000      # both

Peers that are not installed are listed as skipped, peers that break as failed. On the
whole file a peer fits 85 % of the rows and one temperature on the other 15 %, and is
then fitted once more on all rows; ours calibrates itself by cross-validation. On the
curve everyone fits every row of the sample. The test rows choose nothing.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from report import DATA, load_average, note, table
from scipy.optimize import minimize_scalar
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from models.classifier import ServedModel
from models.compiled import softmax
from models.dataset import Example, read_csv
from models.evaluate import figures
from models.features import Encoder, encoder
from models.train import train

OURS = "ours"
WORDS_ONLY = "ours, without encoder"
CALIBRATION_SHARE = 0.15
WARM_UPS, TIMED = 20, 400
COLUMNS = ("accuracy", "macro_f1", "all_rows_accuracy", "all_rows_macro_f1")
MORE_COLUMNS = ("ece_raw", "ece", "coverage_95", "train_cpu_s", "cpu_ms_p50", "cpu_ms_p99")


class FastText:
    """fastText behind the two methods that scikit-learn's classifiers have."""

    def __init__(self, **options: Any) -> None:
        self._options = {"lr": 0.05, "epoch": 50, "thread": 1, "verbose": 0} | options

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> FastText:
        """Train on one thread."""
        import fasttext

        self.classes_ = np.array(sorted(set(labels)))
        place = {label: i for i, label in enumerate(self.classes_)}
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            for text, label in zip(texts, labels, strict=True):
                file.write(f"__label__{place[label]} {' '.join(text.lower().split())}\n")
            file.flush()
            self._model = fasttext.train_supervised(file.name, **self._options)
        return self

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray:
        """Ask the model beneath: the wrapper's `predict` breaks under NumPy 2."""
        found = np.full((len(texts), len(self.classes_)), 1e-9)
        for row, text in zip(found, texts, strict=True):
            for p, label in self._model.f.predict(" ".join(text.lower().split()) + "\n", -1, 0.0, "strict"):
                row[int(label.removeprefix("__label__"))] = p
        return found / found.sum(axis=1, keepdims=True)


def default_tfidf() -> Any:
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())


def balanced_svc() -> Any:
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True)
    svc = LinearSVC(C=0.2, class_weight="balanced", random_state=0)
    return make_pipeline(make_union(words, chars), CalibratedClassifierCV(svc, cv=3, ensemble=False))


def glpi(weight: str | None) -> Any:
    from ticket_triage.model import build_pipeline

    return build_pipeline(class_weight=weight)


# name -> (the package it needs, how to make it)
PEERS: dict[str, tuple[str, Callable[[], Any]]] = {
    "TF-IDF(1,2) + LR, defaults": ("sklearn", default_tfidf),
    "word + char SVC balanced, sigmoid": ("sklearn", balanced_svc),
    "glpi-ticket-triage": ("ticket_triage", lambda: glpi(None)),
    "glpi-ticket-triage, balanced": ("ticket_triage", lambda: glpi("balanced")),
    "fastText, words": ("fasttext", FastText),
    "fastText, subwords, one-vs-all": ("fasttext", lambda: FastText(minn=3, maxn=5, loss="ova")),
}


class Remembering:
    """An encoder that encodes each text once, for the many models of a learning curve."""

    def __init__(self, using: Encoder) -> None:
        self._using = using
        self._known: dict[str, np.ndarray] = {}

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return one row per text."""
        for text in set(texts) - self._known.keys():
            self._known[text] = self._using.encode([text])[0]
        return np.array([self._known[text] for text in texts])


@dataclass
class Data:
    """Training and test rows of one label set."""

    train: list[Example]
    test: list[Example]

    @property
    def test_texts(self) -> list[str]:
        """The texts to judge."""
        return [e.text for e in self.test]

    @property
    def truth(self) -> list[str]:
        """Their labels."""
        return [e.label for e in self.test]


def missing(package: str) -> bool:
    return importlib.util.find_spec(package) is None


def latency(judge: Callable[[str], Any], texts: Sequence[str]) -> dict[str, float]:
    spent = []
    for text in texts[: WARM_UPS + TIMED]:
        began = time.thread_time_ns()
        judge(text)
        spent.append((time.thread_time_ns() - began) / 1e6)
    spent = sorted(spent[WARM_UPS:])
    return {"cpu_ms_p50": round(spent[len(spent) // 2], 4), "cpu_ms_p99": round(spent[int(len(spent) * 0.99)], 4)}


def tempered(p: np.ndarray, temperature: float) -> np.ndarray:
    return softmax(np.log(np.clip(p, 1e-12, 1)) / temperature)


def fit_temperature(p: np.ndarray, classes: np.ndarray, labels: Sequence[str]) -> float:
    place = {label: i for i, label in enumerate(classes)}
    truth = np.array([place[label] for label in labels])

    def loss(log_temperature: float) -> float:
        chosen = tempered(p, float(np.exp(log_temperature)))[np.arange(len(truth)), truth]
        return float(-np.log(chosen + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def judge_peer(make: Callable[[], Any], data: Data) -> dict[str, float]:
    texts, labels = [e.text for e in data.train], [e.label for e in data.train]
    fit, held, fit_labels, held_labels = train_test_split(
        texts, labels, test_size=CALIBRATION_SHARE, stratify=labels, random_state=0
    )
    began = time.process_time()
    model = make().fit(fit, fit_labels)
    temperature = fit_temperature(model.predict_proba(held), model.classes_, held_labels)
    spent = time.process_time() - began
    raw = model.predict_proba(data.test_texts)
    found = figures(tempered(raw, temperature), model.classes_, data.truth)
    everything = make().fit(texts, labels)
    every = figures(everything.predict_proba(data.test_texts), everything.classes_, data.truth)
    return {
        "accuracy": found["accuracy"],
        "macro_f1": found["macro_f1"],
        "all_rows_accuracy": every["accuracy"],
        "all_rows_macro_f1": every["macro_f1"],
        "ece_raw": figures(raw, model.classes_, data.truth)["ece"],
        "ece": found["ece"],
        "coverage_95": found["coverage_at_precision"]["0.95"],
        "train_cpu_s": round(spent, 2),
        **latency(lambda text: model.predict_proba([text]), data.test_texts),
    }


def judge_ours(data: Data) -> dict[str, Any]:
    trained = train(data.train, encoder())
    using = encoder() if trained.model.meaning is not None else None
    probabilities, _ = trained.model.score_many(data.test_texts, using)
    found = figures(probabilities, trained.model.labels, data.truth)
    served = ServedModel(trained.model, "benchmark", using)
    return {
        "all_rows_accuracy": found["accuracy"],
        "all_rows_macro_f1": found["macro_f1"],
        "ece": found["ece"],
        "coverage_95": found["coverage_at_precision"]["0.95"],
        "train_cpu_s": round(trained.cpu_seconds, 2),
        **latency(served.predict, data.test_texts),
    }


def whole_file(data: Data, out: Path | None) -> None:
    models: dict[str, Callable[[], dict[str, Any]]] = {OURS: lambda: judge_ours(data)}
    models |= {name: (lambda make=make: judge_peer(make, data)) for name, (_, make) in PEERS.items()}
    rows = []
    for name, judge in models.items():
        found = attempt(name, judge)
        print(f"  {name}: {found.get('status', 'measured')}", flush=True)
        note(out, script="classifiers", rows=len(data.train), model=name, **found)
        rows.append([name, *(found.get(c) for c in COLUMNS + MORE_COLUMNS), found.get("status", "")])
    print(f"\nwhole file: {len(data.train)} training rows, {len(data.test)} test rows")
    header = ("model", "acc 85%", "F1 85%", "acc all", "F1 all", "ECE raw", "ECE", "cov@95", "train CPU s")
    table((*header, "p50 ms", "p99 ms", ""), rows)


def attempt(name: str, judge: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `judge` found, or why it could not."""
    package = PEERS[name][0] if name in PEERS else ""
    if package and missing(package):
        return {"status": f"skipped: {package} is not installed"}
    try:
        found = judge()
    except Exception as error:  # noqa: BLE001 - a peer that breaks is a result, not the end of the run
        return {"status": f"failed: {type(error).__name__}: {error}"[:80]}
    return found


def curve(data: Data, size: int, seeds: int, using: Encoder | None, out: Path | None) -> None:
    """Print the mean accuracy of every model on `seeds` samples of `size` rows, and who wins how often."""
    scores: dict[str, dict[int, dict[str, float]]] = {}
    reasons: dict[str, str] = {}
    for seed in range(seeds):
        labels = [e.label for e in data.train]
        sample, _ = train_test_split(data.train, train_size=size, stratify=labels, random_state=seed)
        for name, found in on_sample(sample, data, using):
            if "status" in found:
                reasons[name] = found["status"]
                continue
            scores.setdefault(name, {})[seed] = found
            note(out, script="classifiers", rows=size, seed=seed, model=name, **found)
    rows = []
    for name in [OURS, WORDS_ONLY, *PEERS]:
        mine, best = scores.get(name, {}), scores[OURS]
        wins = sum(best[seed]["accuracy"] > mine[seed]["accuracy"] for seed in mine)
        accuracy, macro = (fmean(s[f] for s in mine.values()) if mine else None for f in ("accuracy", "macro_f1"))
        spread = " ".join(f"{s['accuracy']:.3f}" for s in mine.values())
        beaten = None if name == OURS or not mine else f"{wins} of {len(mine)}"
        rows.append([name, accuracy, macro, spread, beaten, reasons.get(name, "")])
        note(
            out, script="classifiers", rows=size, seeds=len(mine), model=name, mean_accuracy=accuracy,
            mean_macro_f1=macro, ours_wins=beaten, status=reasons.get(name, ""),
        )  # fmt: skip
    print(f"\n{size} training rows, mean of {seeds} seeds, {len(data.test)} test rows")
    table(("model", "accuracy", "macro-F1", "per seed", "ours wins", ""), rows)


def on_sample(sample: list[Example], data: Data, using: Encoder | None) -> list[tuple[str, dict[str, Any]]]:
    trained = train(sample, using)
    found = []
    for name, eyes in ((OURS, using), (WORDS_ONLY, None)):
        probabilities, _ = trained.model.score_many(data.test_texts, eyes)
        found.append((name, brief(probabilities, trained.model.labels, data)))
    texts, labels = [e.text for e in sample], [e.label for e in sample]
    for name, (_, make) in PEERS.items():

        def judge(make: Callable[[], Any] = make) -> dict[str, float]:
            model = make().fit(texts, labels)
            return brief(model.predict_proba(data.test_texts), model.classes_, data)

        found.append((name, attempt(name, judge)))
    return found


def brief(probabilities: np.ndarray, labels: Sequence[str], data: Data) -> dict[str, float]:
    found = figures(probabilities, labels, data.truth)
    return {name: found[name] for name in ("accuracy", "macro_f1", "ece")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train-csv", type=Path, default=DATA / "endava_train.csv.gz")
    parser.add_argument("--test-csv", type=Path, default=DATA / "endava_test.csv.gz")
    parser.add_argument("--rows", type=int, nargs="+", default=[], help="sizes of a learning curve")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="the whole file too, when --rows is given")
    parser.add_argument("--out", type=Path, help="append one JSON line per measurement")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    load_average("at start")
    data = Data(read_csv(arguments.train_csv), read_csv(arguments.test_csv))
    with threadpool_limits(1):
        using = Remembering(found) if arguments.rows and (found := encoder()) else None
        for size in arguments.rows:
            curve(data, size, arguments.seeds, using, arguments.out)
        if arguments.full or not arguments.rows:
            whole_file(data, arguments.out)
    load_average("at end")


if __name__ == "__main__":
    main()
