"""`slimline serve` as a process of its own, and how a person signs in to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, StorageState, expect

ROOT = Path(__file__).parents[2]
_READY_S = 60
_READING = re.compile("being looked at|are read")


@dataclass(frozen=True)
class Served:
    """A server that somebody has signed in to.

    Attributes:
        url: Its origin.
        state: The cookies of who signed in.
        store: Where the store is.
    """

    url: str
    state: StorageState
    store: Path

    def at(self, path: str) -> str:
        """Return the address of a page."""
        return self.url + path


@contextmanager
def served(browser: Browser, store: Path, home: Path, *options: str) -> Iterator[Served]:
    """Serve a store, sign in by the address that the start prints, and end it as Ctrl-C does.

    Args:
        browser: Signs in.
        store: What is served.
        home: A folder for what the server keeps on this machine, such as its index.
        options: More of the command's.
    """
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(home), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    command = [sys.executable, "-m", "pipelines.cli", "serve", "--store", str(store), "--port", "0"]
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        printed: list[str] = []
        try:
            entrance = _entrance(process, printed)
            context = browser.new_context()
            page = context.new_page()
            answer = page.goto(entrance)
            assert answer
            assert answer.ok, answer.text()
            # Until the index is made every page says so, and follows it.
            expect(page.locator("h1")).not_to_contain_text(_READING, timeout=60_000)
            state = context.storage_state()
            context.close()
            yield Served(re.match(r"https?://[^/]+", entrance)[0], state, store)  # type: ignore[index]
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            assert "Traceback" not in "".join(printed), "".join(printed)


def _entrance(process: subprocess.Popen[str], printed: list[str]) -> str:
    """Return the address that is printed when the server is ready; go on reading what is printed."""
    found = threading.Event()
    addresses: list[str] = []

    def read() -> None:
        assert process.stdout
        for line in process.stdout:
            printed.append(line)
            match = re.search(r"https?://\S+", line)
            if match and not addresses:
                addresses.append(match[0])
                found.set()
        found.set()

    threading.Thread(target=read, daemon=True).start()
    assert found.wait(_READY_S), "the server printed no address"
    assert addresses, "the server ended: " + "".join(printed)
    return addresses[0]
