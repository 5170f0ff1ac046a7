"""The page of releases: its commands and its program run, and it describes what is written."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.config.releases import ReleasesSection
from pipelines.runs.cache import Cache
from pipelines.runs.releases.champions import champion_of
from pipelines.runs.releases.release_log import read_log
from pipelines.stores.directory import DirectoryStore
from pipelines.stores.layout import blob_key
from tests.data.challengers import Run, write_run
from tests.data.releases import rewrite

PAGE = (Path(__file__).parents[2] / "docs" / "releases.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of two runs, of which the first is the champion."""
    folder = tmp_path_factory.mktemp("releases")
    cache = Cache(DirectoryStore(folder / "slimline-store"), folder / "work")
    write_run(cache, Run("faces-20260101-000000-aaaa", noise=0.2))
    with contextlib.chdir(folder):
        assert main(["promote", "faces@latest"]) == 0
    write_run(cache, Run("faces-20260102-000000-bbbb"))
    return folder


@pytest.fixture(scope="module")
def followed(folder: Path) -> Path:
    """What the commands of the page leave there."""
    for line in "".join(blocks("sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "slimline":
            with contextlib.chdir(folder):
                assert main(words[1:]) == 0
        elif words[0] != ".venv/bin/pip":
            subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return folder


def test_the_commands_do_what_the_page_says(followed: Path) -> None:
    log = read_log(DirectoryStore(followed / "slimline-store"), "faces")
    assert [entry.kind for entry in log.entries] == ["promote", "promote", "rollback", "promote"]
    assert [entry.run[-4:] for entry in log.entries] == ["aaaa", "bbbb", "aaaa", "bbbb"]
    assert not any(entry.forced for entry in log.entries)
    assert log.entries[2].reason == "crashes on old phones"


def program(folder: Path) -> subprocess.CompletedProcess[str]:
    _, code = blocks("python")
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("manifest", "file"),
    [
        ({"file": "model.tflite"}, "model.tflite"),
        ({"files": [{"file": "a", "devices": ["host"]}, {"file": "b", "devices": ["s21"]}]}, "b"),
        ({"files": [{"file": "a", "devices": ["host"]}]}, None),
    ],
)
def test_a_device_finds_its_file(manifest: dict[str, Any], file: str | None) -> None:
    code, _ = blocks("python")
    found: dict[str, Any] = {"manifest": manifest}
    exec(code, found)
    assert (found["mine"] and found["mine"]["file"]) == file


def test_the_program_of_the_page(followed: Path) -> None:
    _, code = blocks("python")
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 15
    done = program(followed)
    assert done.returncode == 0, done.stderr
    store = DirectoryStore(followed / "slimline-store")
    champion = champion_of(store, "faces")
    assert champion
    place = blob_key(champion["files"][1]["sha256"])
    whole = store.get(place)
    rewrite(store, place, whole[:-1] + b"x")
    try:
        assert "Signature mismatch" in program(followed).stderr
    finally:
        rewrite(store, place, whole)


def keys(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{place}{key}"
            if key != "previous":
                yield from keys(item, f"{place}{key}.")
    elif isinstance(value, list):
        for item in value:
            yield from keys(item, f"{place[:-1]}[].")


def test_every_key_of_champion_json_is_described(followed: Path) -> None:
    section = PAGE.partition("## champion.json")[2].partition("\n## ")[0]
    described = set(re.findall(r"^\| `([\w.\[\]]+)` \|", section, re.MULTILINE))
    written = json.loads((followed / "slimline-store/releases/faces/champion.json").read_bytes())
    assert described - {"files[].url", "signature.url"} == set(keys(written))
    assert set(written["previous"]) == {"seq", "release", "run", "at", "files"}


def test_the_configuration_of_the_page() -> None:
    (text,) = blocks("yaml")
    ReleasesSection.model_validate(yaml.safe_load(text)["releases"])
