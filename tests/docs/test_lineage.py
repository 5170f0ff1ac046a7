"""The walk-through of lineage: its commands run, in their order, and print what stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "lineage.md").read_text()
PEOPLE = [
    "ann",
    "ben",
    "cai",
    "dia",
    "eli",
    "fay",
    "gus",
    "hal",
    "ida",
    "jim",
    "kim",
    "leo",
    "mia",
    "ned",
    "ona",
    "pam",
]
_BLOCK = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)
_VARYING = {
    r"faces-\d{8}-\d{6}-[0-9a-f]{4}": r"faces-\d{8}-\d{6}-[0-9a-f]{4}",
    r"\b[0-9a-f]{8}\b": r"[0-9a-f]{8}",
    r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00": r"\S+",
    r"\.\.\.": r".*",
}
"""What differs from run to run, or is left out, and what may stand in its place."""
_TOKEN = re.compile("|".join(f"({varying})" for varying in _VARYING))


def pattern(line: str) -> re.Pattern[str]:
    """Return what a line that is shown has to match."""
    written, end = "", 0
    for token in _TOKEN.finditer(line):
        assert token.lastindex
        written += re.escape(line[end : token.start()])
        written += list(_VARYING.values())[token.lastindex - 1]
        end = token.end()
    return re.compile(written + re.escape(line[end:]))


def sections() -> Iterator[tuple[list[tuple[list[str], int]], list[str]]]:
    """Yield commands with the exit codes that are promised, and the lines that they print."""
    blocks = _BLOCK.findall(TEXT)
    for (kind, block), following in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind != "sh":
            continue
        commands: list[tuple[list[str], int]] = []
        for line in block.splitlines():
            command, _, remark = line.partition("#")
            code = re.search(r"exit code (\d)", remark)
            commands.append((shlex.split(command), int(code[1]) if code else 0))
        yield commands, following[1].splitlines() if following[0] == "text" else []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The 96 images, and the configuration of the page."""
    chance = np.random.default_rng(0)
    for name in PEOPLE:
        face = chance.integers(0, 256, (8, 8))
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number in range(1, 7):
            shown = np.clip(face + chance.normal(0, 40, (8, 8)), 0, 255).astype(np.uint8)
            Image.fromarray(shown).save(tmp_path / "faces" / name / f"{number}.png")
    (tmp_path / "faces.yaml").write_text(re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0])
    return tmp_path


def test_the_walk_through_prints_what_it_shows(folder: Path) -> None:
    names: set[str] = set()
    checked = 0
    for commands, shown in sections():
        printed: list[str] = []
        for words, code in commands:
            assert words[0] == "slimline"
            names.add(words[1])
            done = subprocess.run(
                [sys.executable, "-m", "pipelines.cli", *words[1:]],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder / "home")},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
            printed += done.stdout.splitlines()
        left = iter(printed)
        for line in shown:
            wanted = pattern(line)
            assert any(wanted.fullmatch(one) for one in left), "\n".join(
                [f"not printed, or not in this place: {line}", *printed]
            )
            checked += 1
    assert {"lineage", "affected", "promote", "verify", "erase", "why-changed"} <= names
    assert checked > 30


def test_a_line_that_differs_is_found_out() -> None:
    line = "release b98f18b8 of faces: champion, published by faces-20261126-215903-291a, ..."
    assert pattern(line).fullmatch(
        "release 00000000 of faces: champion, published by faces-20270101-000000-ffff, and more"
    )
    assert not pattern(line).fullmatch(line.replace("champion", "candidate"))
