"""Hand-written stand-ins for the two ports. Small, real and documented, so that tests read like sentences."""

import threading
from datetime import timedelta

from builders import NOON, a_prediction
from triage.ticket import DeliveryError, ModelUnavailableError, Notice, Prediction


class FakeClassifier:
    """Answers what it was told to: `says(...)` for all texts, `on(word, ...)` for texts with a word, `breaks()`."""

    def __init__(self) -> None:
        self._default: Prediction | Exception = a_prediction()
        self._by_word: list[tuple[str, Prediction | Exception]] = []
        self.seen: list[str] = []

    def says(self, prediction: Prediction) -> None:
        """Answer every text so."""
        self._default = prediction

    def on(self, word: str, prediction: Prediction) -> None:
        """Answer texts that hold `word` so."""
        self._by_word.append((word, prediction))

    def breaks(self, error: Exception | None = None) -> None:
        """Raise at every text from now on."""
        self._default = error or RuntimeError("the model broke on 'some ticket words'")

    def is_missing(self) -> None:
        """Answer as a product without a trained model does."""
        self._default = ModelUnavailableError("no model was trained yet")

    def predict(self, text: str) -> Prediction:
        """The port."""
        self.seen.append(text)
        answer = next((p for word, p in self._by_word if word in text), self._default)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeNotifier:
    """Keeps what was sent; `fails(...)` makes the next sends raise."""

    def __init__(self) -> None:
        self.sent: list[Notice] = []
        self._failures: list[Exception] = []
        self._lock = threading.Lock()

    def fails(self, times: int = 1, *, permanent: bool = False, retry_after: float | None = None) -> None:
        """Refuse the next `times` notices."""
        self._failures += [DeliveryError("told to fail", permanent=permanent, retry_after=retry_after)] * times

    def breaks(self) -> None:
        """Raise something nobody foresaw, once."""
        self._failures.append(RuntimeError("unforeseen"))

    def send(self, notice: Notice, *, again: bool = False) -> None:
        """The port."""
        with self._lock:
            if self._failures:
                raise self._failures.pop(0)
            self.sent.append(notice)

    def to(self, start: str) -> list[Notice]:
        """What was sent to addresses that start so."""
        return [notice for notice in self.sent if notice.to.startswith(start)]


class FakeClock:
    """A clock that only moves when told to."""

    def __init__(self, now=NOON) -> None:
        self.now = now

    def __call__(self):
        return self.now

    def passes(self, **duration) -> None:
        """Move on, e.g. `clock.passes(minutes=5)`."""
        self.now += timedelta(**duration)
