"""Logs of steps: the newest attempt's, and how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.contract.errors import UserError
from components.contract.execution import EXIT_LINE
from pipelines.engines.kubeflow.watching.step_logs import LastWords, newest_log
from pipelines.stores.opening import open_store

FAULT = str(UserError("too little data: of 4\n  2 few-images: a.png", "add images"))


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            f"I0000 a warning\n{FAULT}\n{EXIT_LINE.format(2)}\n",
            LastWords(2, "too little data: of 4\n  2 few-images: a.png", "add images"),
        ),
        (FAULT, LastWords(2, "too little data: of 4\n  2 few-images: a.png", "add images")),
        (
            f"Traceback (most recent call last):\n  File\nKeyError: 'a'\n{EXIT_LINE.format(1)}\n",
            LastWords(1, "KeyError: 'a'"),
        ),
        ("12:00:00 epoch 3 of 9\n", LastWords(None, "12:00:00 epoch 3 of 9")),
        (f"done\n{EXIT_LINE.format(0)}\n", LastWords(0, "done")),
        (f"{EXIT_LINE.format(2)}\n", LastWords(2, "")),
        ("", LastWords(None, "")),
    ],
)
def test_how_a_log_ends(log: str, words: LastWords) -> None:
    assert LastWords.of(log) == words


def test_the_newest_attempt_is_the_last_one_that_was_written(tmp_path: Path) -> None:
    root = open_store(str(tmp_path))
    assert newest_log(root, "p/r/train/") is None
    for name in ("a/executor-logs-0", "a/executor-logs-1", "a/executor-logs-1x", "a/model/x"):
        root.put_if_absent(f"p/r/train/{name}", b"")
    assert newest_log(root, "p/r/train/") == "p/r/train/a/executor-logs-1"
    root.put_if_absent("p/r/train-more/a/executor-logs-7", b"")
    assert newest_log(root, "p/r/train/") == "p/r/train/a/executor-logs-1"
