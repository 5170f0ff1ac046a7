"""Browsers that are not there, do not start, end at once, or hang: programs in their place."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from components.artifacts.measurement import Crash
from components.contract.errors import UserError
from components.devices.browser.chromium import chromium_path, chromium_version, opened, tree_of
from components.devices.browser.device import Chromium
from components.devices.browser.settings import BrowserSettings
from components.devices.timing_plan import TimingPlan


def program(path: Path, does: str) -> Path:
    """A browser that knows its version and does something else than to open the page."""
    path.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then echo Chromium 1.2 built; exit; fi\n{does}\n'
    )
    path.chmod(0o755)
    return path


def runtime(tmp_path: Path, browser: Path) -> Chromium:
    """A browser whose runtime lies there: nothing is fetched, because no page is opened."""
    from components.devices.browser.litertjs import place_of

    place_of(tmp_path).mkdir()
    return Chromium(BrowserSettings(browser=str(browser), dir=str(tmp_path)))


def test_a_browser_says_its_version(tmp_path: Path) -> None:
    path = program(tmp_path / "browser", "exit 3")
    assert chromium_path(str(path)) == path
    assert chromium_version(path) == "Chromium 1.2"
    facts = Chromium(BrowserSettings(browser=str(path))).look().fingerprint
    assert facts["browser"] == "Chromium 1.2"
    assert facts["runtime"].startswith("@litertjs/core ")
    assert facts["cpu"]


def test_a_browser_that_is_not_there_is_said(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(UserError, match=f"there is no program {tmp_path}/absent") as caught:
        chromium_path(f"{tmp_path}/absent")
    assert "leave browser away" in caught.value.fix
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="there is no Chromium on this machine") as caught:
        chromium_path()
    assert caught.value.fix == "apt-get install chromium"
    program(tmp_path / "chromium", "")
    assert chromium_path() == tmp_path / "chromium"


def test_a_program_that_is_no_browser_is_said() -> None:
    with pytest.raises(UserError, match="/bin/false does not start") as caught:
        chromium_version(Path("/bin/false"))
    assert caught.value.fix.startswith("run /bin/false by hand")


def test_a_browser_that_ends_at_once_is_no_answer_of_the_model(tmp_path: Path) -> None:
    browser = runtime(tmp_path, program(tmp_path / "browser", "exit 3"))
    died = browser.time(tmp_path / "model.tflite", TimingPlan(), 0)
    assert died == Crash(None, "the browser ended with exit code 3", "", outside=True)


def test_a_page_that_never_ends_is_ended(tmp_path: Path) -> None:
    browser = runtime(tmp_path, program(tmp_path / "browser", "sleep 1000 & sleep 1000"))
    died = browser.time(tmp_path / "model.tflite", TimingPlan(limit_s=0.5), 0)
    assert died == Crash(None, "time limit of 0.5 s", "", outside=True)


def test_all_of_its_processes_end_with_it(tmp_path: Path) -> None:
    # One ignores the polite signal and has a session of its own, as sandboxes do.
    does = "setsid sh -c 'trap \"\" TERM; while :; do sleep 0.05; done' & sleep 1000"
    with opened(program(tmp_path / "browser", does), "http://127.0.0.1/") as browser:
        deadline = time.monotonic() + 10
        while len(family := tree_of(browser.process.pid)) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert browser.ended is None
        assert browser.memory_bytes() > 0
    assert len(family) >= 3
    deadline = time.monotonic() + 10  # who is killed is gone a moment later
    while (left := [pid for pid in family if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and os.getpgid(pid) > 0


def test_the_folder_of_a_browser_has_room_for_its_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chromium aborts where the path of its socket is longer than 107 characters."""
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    does = f'echo "$TMPDIR" > {tmp_path}/told; sleep 1000'
    told = tmp_path / "told"
    with opened(program(tmp_path / "browser", does), "http://127.0.0.1/"):
        deadline = time.monotonic() + 10
        while not (told.is_file() and told.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
    folder = told.read_text().strip()
    assert len(folder) < 60
    assert not Path(folder).exists()
