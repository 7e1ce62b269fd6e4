"""A whole day in Slack, with the real bot and worker in both transports: every way in and every turn of a ticket."""

import pytest

from builders import NOT_MINOR, a_prediction
from slack_server.stage import play
from triage.store import tickets


@pytest.mark.parametrize("http", [False, True], ids=["socket", "http"])
def test_a_day_of_a_nurse_an_agent_and_security(tmp_path, classifier, monkeypatch, http):
    monkeypatch.setattr("bot.outbound.PACE", 0.05)
    classifier.on("EHR", a_prediction(NOT_MINOR))
    lines = []
    stage = play(tmp_path, classifier, lines.append, http=http)
    story = "\n".join(lines)
    assert stage.slack.refused == []
    for said in ("IT-1 is closed", "Somebody of Workplace", "is open again", "without an answer", "Merci de nous"):
        assert said in story
    assert "Tuesday release" not in " ".join(stage.slack.seen_by(stage.nina).texts)
    assert stage.slack.paged == []
    assert tickets.ref_of(11) in " ".join(stage.slack.seen_by(stage.marie).texts)
