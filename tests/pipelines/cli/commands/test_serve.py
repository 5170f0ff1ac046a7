"""``slimline serve`` as people start and end it, in processes of its own."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
_LINK = re.compile(r"open (http://\S+)")


@contextmanager
def started(
    folder: Path, *words: str, stdin: int | None = subprocess.DEVNULL, code: str = ""
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start the command; what it prints goes to the file that is yielded beside it."""
    printed = folder / f"printed-{len(list(folder.glob('printed-*')))}"
    command = [sys.executable, *_program(code), "serve", "--port", "0", *words]
    with printed.open("w") as stream, subprocess.Popen(
        command, cwd=folder, stdin=stdin, stdout=stream, stderr=stream, text=True,
        env=environment(folder),
    ) as process:  # fmt: skip
        try:
            yield process, printed
        finally:
            process.kill()


def _program(code: str) -> list[str]:
    """Return slimline as a user starts it, or the code of a test that starts it."""
    return ["-c", code] if code else ["-m", "pipelines.cli"]


def environment(folder: Path) -> Mapping[str, str]:
    return {
        **os.environ, "HOME": str(folder / "home"), "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }  # fmt: skip


def links(printed: Path, count: int = 1) -> list[str]:
    """Return the links that were printed, as soon as there are so many."""
    for _ in range(600):
        found = _LINK.findall(printed.read_text())
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(printed.read_text())


def refused(folder: Path, *words: str, code: str = "") -> str:
    """Return what the command says that it cannot do."""
    command = [sys.executable, *_program(code), "serve", *words]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        env=environment(folder),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    return tmp_path / "store"


def status(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_that_is_no_failure(store: Path, number: int) -> None:
    with started(store.parent, "--store", str(store)) as (process, printed):
        (link,) = links(printed)
        assert status(link.partition("/enter")[0] + "/alive") == 200
        with socket.create_connection(("127.0.0.1", int(re.findall(r":(\d+)/", link)[0]))):
            process.send_signal(number)  # though somebody is connected
            assert process.wait(timeout=30) == 0
        assert "Traceback" not in printed.read_text()


def test_pages_that_cannot_be_loaded_end_it_as_a_bug(store: Path) -> None:
    code = (
        "import sys; sys.modules['pipelines.web.pages.home'] = None\n"
        "from pipelines.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", "--port", "0", "--store", str(store)],
        cwd=store.parent, capture_output=True, text=True, timeout=60, check=False,
        env=environment(store.parent),
    )  # fmt: skip
    assert done.returncode == 1
    assert _LINK.search(done.stderr)
    assert "import of pipelines.web.pages.home halted" in done.stderr


_SIGNAL_WITH_THE_LINK = """
import os, sys
from pipelines.cli.commands import serve
said, sent = serve.print_remark, []
def say(text):
    said(text)
    if not sent:
        sent.append(os.kill(os.getpid(), {number}))
serve.print_remark = say
from pipelines.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_may_come_as_soon_as_the_link_is_printed(store: Path, number: int) -> None:
    code = _SIGNAL_WITH_THE_LINK.format(number=int(number))
    with started(store.parent, "--store", str(store), code=code) as (process, printed):
        if number == signal.SIGUSR1:
            links(printed, 2)
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert "Traceback" not in printed.read_text()


def test_another_link_is_given_for_a_signal_and_for_enter(store: Path) -> None:
    keyboard, terminal = pty.openpty()
    with started(store.parent, "--store", str(store), stdin=terminal) as (process, printed):
        links(printed)
        process.send_signal(signal.SIGUSR1)
        links(printed, 2)
        os.write(keyboard, b"\n")
        first, second, third = links(printed, 3)
        assert len({first, second, third}) == 3
        assert status(second) == 403
    os.close(keyboard)
    os.close(terminal)


def test_two_serve_one_store(store: Path) -> None:
    folder, words = store.parent, ("--store", str(store))
    with started(folder, *words) as (_, one), started(folder, *words) as (_, other):
        for printed in (one, other):
            (link,) = links(printed)
            assert status(link.partition("/enter")[0] + "/alive") == 200


def test_a_store_that_nobody_made_is_a_mistake_unless_the_settings_name_it(tmp_path: Path) -> None:
    said = refused(tmp_path, "--store", "nowhere")
    assert "there is no store nowhere" in said
    assert "there is no store ./slimline-store" in refused(tmp_path)
    (tmp_path / "serve.yaml").write_text("store: later\n")
    with started(tmp_path, "--settings", "serve.yaml") as (_, printed):
        links(printed)


def test_a_port_that_is_taken_is_said_with_another_one(store: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = refused(store.parent, "--store", str(store), "--port", port)
    assert f"127.0.0.1:{port} cannot be listened on: Address already in use" in said
    assert "--port 0" in said
    with started(store.parent, "--store", str(store), "--port", "0") as (_, printed):
        links(printed)


def test_without_its_packages_the_command_names_them(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('starlette', 'uvicorn'):\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "from pipelines.cli.main import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    said = refused(tmp_path, code=code)
    assert "slimline serve needs the package starlette" in said
    assert "fix: pip install 'slimline[serve]'" in said


def test_the_browser_is_opened_where_that_is_asked_for(store: Path) -> None:
    opened = store.parent / "opened"
    program = store.parent / "browser"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BROWSER", f"{program} %s")
        with started(store.parent, "--store", str(store), "--open") as (_, printed):
            (link,) = links(printed)
            for _ in range(200):
                if opened.exists() and opened.read_text():
                    break
                time.sleep(0.05)
    assert opened.read_text().strip() == link
