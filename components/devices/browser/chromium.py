"""Chromium without a window: found, started for one page, ended with all of its processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from components.contract.errors import UserError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    # Whatever a page may name: only this machine is found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_END_S = 10.0


@dataclass(frozen=True)
class RunningBrowser:
    """A browser that was started for one page.

    Attributes:
        process: What was started; its children run pages.
    """

    process: subprocess.Popen[bytes]

    @property
    def ended(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self.process.poll()

    def cpu_ms(self) -> float:
        """Return the processor time of it and of all of its processes so far."""
        return 1e3 * sum(facts.ticks for facts in self._family()) / os.sysconf("SC_CLK_TCK")

    def memory_bytes(self) -> int:
        """Return what it and all of its processes have resident at the moment."""
        pages = sum(facts.resident for facts in self._family())
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _family(self) -> list[_ProcessFacts]:
        known = _processes()
        return [known[pid] for pid in tree_of(self.process.pid) if pid in known]


def chromium_path(browser: str | None = None) -> Path:
    """Return where the browser is.

    Args:
        browser: A path or a name; None: the first of those that are known.

    Raises:
        UserError: It is not installed.
    """
    for name in (browser,) if browser else NAMES:
        if found := shutil.which(Path(name).expanduser()):
            return Path(found)
    if browser:
        raise UserError(
            f"kind: browser: there is no program {browser}",
            "give the path of a Chromium there, or leave browser away",
        )
    raise UserError(
        "kind: browser: there is no Chromium on this machine", "apt-get install chromium"
    )


def chromium_version(path: Path) -> str:
    """Return what the browser calls itself, such as ``Chromium 156.0.8078.108``.

    Raises:
        UserError: It does not start.
    """
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _broken(path, str(error)) from None
    said = done.stdout.strip().splitlines()
    if done.returncode != 0 or not said:
        raise _broken(path, (done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return " ".join(said[-1].split()[:2])


def _broken(path: Path, why: str) -> UserError:
    return UserError(
        f"kind: browser: {path} does not start: {why}",
        f"run {path} by hand until it starts, or name another one",
    )


@contextlib.contextmanager
def opened(path: Path, url: str) -> Generator[RunningBrowser]:
    """Open a page in a browser of its own, with an empty cache; it ends with the block.

    Args:
        path: The browser.
        url: Of the page.
    """
    # Its sandbox does not start for root, as whom a step in a container runs.
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with tempfile.TemporaryDirectory(
        prefix="slimline-browser-", dir=_short_folder(), ignore_cleanup_errors=True
    ) as folder:
        process = subprocess.Popen(
            [path, *_ARGUMENTS, *root, f"--user-data-dir={folder}", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": folder, "HOME": folder},
        )
        try:
            yield RunningBrowser(process)
        finally:
            _end(process)


def _short_folder() -> str | None:
    """Return where temporary folders have short paths; None for the usual place.

    The browser makes a socket there, whose path may have 107 characters; it aborts where it has
    more, as below the scratch folder of a step.
    """
    return "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else None  # noqa: S108 its own folder in it


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a browser and its processes, those included that have sessions of their own."""
    before = _processes()
    family = {pid: before[pid].started for pid in tree_of(process.pid) if pid in before}
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)
    now = _processes()
    for pid, started in family.items():  # a number may be another process's by now
        if pid in now and now[pid].started == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


@dataclass(frozen=True)
class _ProcessFacts:
    """What the kernel says of a process: times in ticks, memory in pages.

    ``started`` counts from the start of this machine.
    """

    parent: int
    ticks: int
    started: int
    resident: int


def tree_of(pid: int) -> list[int]:
    """Return a process and all that it and its children have started."""
    parents = {child: facts.parent for child, facts in _processes().items()}
    found: list[int] = []
    todo = [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += [child for child, parent in parents.items() if parent == one]
    return found


def _processes() -> dict[int, _ProcessFacts]:
    """Return every process of this machine."""
    found: dict[int, _ProcessFacts] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The name, in parentheses, may hold anything, spaces too.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            ticks = int(fields[11]) + int(fields[12])
            found[int(folder.name)] = _ProcessFacts(
                int(fields[1]), ticks, int(fields[19]), int(fields[21])
            )
    return found
