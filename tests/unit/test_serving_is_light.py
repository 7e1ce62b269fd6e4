"""What runs all day, and what prints help, loads none of the heavy parts that it does not need."""

import subprocess
import sys

import pytest

from models import registry
from models.dataset import Example
from models.train import train

KEY = b"a key for tests that is long enough"

SERVE = """
import sys
from pathlib import Path

import triage.service
import web.app
from models.classifier import LiveClassifier

blob, digest, key = Path(sys.argv[1]).read_bytes(), sys.argv[2], sys.argv[3].encode()
classifier = LiveClassifier(lambda: "v1", lambda version: (blob, digest), key)
print(classifier.predict("the toner is low").category)
print("sklearn" in sys.modules)
"""


def run(*arguments):
    """Run Python in a process of its own; returns its output."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


def imported(stderr):
    """The packages in the report of `python -X importtime`."""
    names = [line.rpartition("|")[2].strip() for line in stderr.splitlines() if line.startswith("import time:")]
    return {name.partition(".")[0] for name in names}


@pytest.fixture(scope="module")
def trained():
    """A signed model that scikit-learn trained in this process."""
    rows = [
        Example(text, label)
        for label, words in {"printer": "toner paper tray jam", "account_access": "password locked badge reset"}.items()
        for text in words.split()
    ]
    return registry.pack(train(rows, None).model, KEY)


def test_serving_a_trained_model_needs_no_scikit_learn(trained, tmp_path):
    blob, digest = trained
    path = tmp_path / "model"
    path.write_bytes(blob)
    assert run("-c", SERVE, str(path), digest, KEY.decode()).stdout.split() == ["printer", "False"]


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]], ids=" ".join)
def test_the_command_answers_at_once_about_itself(arguments):
    loaded = imported(run("-X", "importtime", "-m", "triage", *arguments).stderr)
    assert "click" in loaded  # the report was read right
    assert loaded & {"sklearn", "scipy", "numpy", "joblib", "flask", "sqlalchemy"} == set()


def test_the_help_names_every_command():
    from triage.cli import COMMANDS

    told = run("-m", "triage", "--help").stdout
    assert [name for name in COMMANDS if f"  {name} " not in told] == []
