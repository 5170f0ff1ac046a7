"""A run of which a step fails after the data was read: what is said, once, and what is kept."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import TypeAlias

import pytest
from PIL import Image

from tests.data.images import encoded, photo
from tests.pipelines.cli.command_line import slimline, written

Ran: TypeAlias = tuple[Path, subprocess.CompletedProcess[str]]
SENTENCE = "mine.keras is neither a .keras nor an .h5 file"


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Four people in twelve photos each, one of them also smaller and under another name."""
    folder = tmp_path_factory.mktemp("failed")
    for person in range(4):
        (folder / "data" / f"p{person}").mkdir(parents=True)
        for number in range(12):
            image = photo(100 * person + number)
            (folder / "data" / f"p{person}" / f"{number}.png").write_bytes(encoded(image, "PNG"))
    small = photo(0).resize((48, 36), Image.Resampling.BILINEAR)
    (folder / "data" / "p3" / "again.png").write_bytes(encoded(small, "PNG"))
    (folder / "mine.keras").write_bytes(b"no model at all")
    written(
        folder / "c.yaml",
        data="./data",
        image={"height": 16, "width": 16},
        split={"by": "image"},
        teacher={"model": "./mine.keras", "normalization": {"mean": 0, "scale": 255}},
        store="./st",
    )
    return folder, slimline("run", "c.yaml", cwd=folder, check=2)


def test_why_a_step_failed_is_said_once(failed: Ran) -> None:
    """A terminal shows both streams as one text."""
    _, done = failed
    for sentence in (SENTENCE, "fix: save the model with tf_keras"):
        assert (done.stdout + done.stderr).count(sentence) == 1, done.stdout + done.stderr
    assert re.search(r" s  failed   import-model\n", done.stderr)


def test_each_stream_says_it_once_where_one_is_for_programs(failed: Ran) -> None:
    folder, _ = failed
    asked = slimline("run", "c.yaml", "--json", cwd=folder, check=2)
    assert asked.stderr.count(SENTENCE) == 1
    assert asked.stdout.count(SENTENCE) == 1
    (failure,) = json.loads(asked.stdout)["failures"]
    assert failure["what"].endswith(SENTENCE)
    assert slimline("show", "--store", "st", cwd=folder, check=0).stdout.count(SENTENCE) == 1


def test_the_command_that_shows_the_log_shows_it(failed: Ran) -> None:
    folder, done = failed
    log = re.search(r"log: slimline (logs .+)", done.stderr)
    assert log
    slimline(*shlex.split(log[1]), cwd=folder, check=0)


def test_near_duplicates_are_listed_and_warned_of(failed: Ran) -> None:
    folder, done = failed
    pair = ["p0/0.png", "p3/again.png"]
    shown = slimline("data", "--store", "st", cwd=folder, check=0).stdout
    row = next(line for line in shown.splitlines() if "again.png" in line)
    assert all(name in row for name in pair)
    assert "p0, p3" in row, "the labels of both"
    warning = "1 pair of images shows under two labels almost the same"
    assert warning in shown
    assert warning in done.stderr, "the progress says it as soon as it is known"
    listed = json.loads(slimline("data", "--store", "st", "--json", cwd=folder, check=0).stdout)
    assert [[one["one"], one["other"]] for one in listed["near_duplicates"]] == [pair]
