"""A process that kills itself at one chosen operation, to see what it leaves behind.

Operations are the calls that change or read the outside world: those of ``os`` and ``fcntl`` for a
directory, requests for a bucket. Each has a point before it and one after it, and a write also one
where half of the bytes are down.
"""

from __future__ import annotations

import fcntl
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipelines.stores.opening import open_store
from pipelines.stores.store import Store

FILE_CALLS = (
    *("open", "close", "read", "write", "pread", "copy_file_range", "fsync", "fstat", "stat"),
    *("link", "unlink", "replace", "utime", "mkdir", "scandir"),
)
_write = os.write


class Points:
    """Counts the points, and kills the process at the chosen one after telling its name."""

    def __init__(self, chosen: int) -> None:
        self.chosen = chosen
        self.passed = 0

    def here(self, name: str) -> None:
        if self.passed == self.chosen:
            _write(1, f"{name}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.here(f"before {name}")
            if name == "write":
                if self.passed == self.chosen:
                    call(args[0], bytes(args[1])[: len(args[1]) // 2])
                self.here("half way through write")
            made = call(*args, **kwargs)
            self.here(f"after {name}")
            return made

        return counted


def large(uri: str) -> bytes:
    """Return a value that takes several requests to a bucket, or several writes to a disk."""
    return bytes(range(256)) * (36_000 if uri.startswith("gs://") else 1200)


def prepare(uri: str, folder: Path) -> Path:
    """Make what ``work`` takes from the disk."""
    folder.mkdir(parents=True)
    (folder / "blob").write_bytes(large(uri))
    return folder


def work(store: Store, folder: Path) -> None:
    """A small run: blobs, a tree, records, an action-cache entry, a claim that is swapped."""
    store.put_if_absent("cas/sha256/aa/blob", folder / "blob")
    store.put_if_absent("cas/sha256/ab/small", b"small")
    store.put_if_absent("trees/t.json", b"tree")
    store.put_if_absent("runs/r/steps/s.json", b"record")
    store.put_if_absent("ac/k.json", b"old entry")
    found = store.stat("ac/k.json")
    assert found
    store.replace_if_match("ac/k.json", b"new entry", found.version)
    store.put_if_absent("leases/l", b"claim")
    found = store.stat("leases/l")
    assert found
    store.delete_if_match("leases/l", found.version)
    store.fetch("cas/sha256/aa/blob", folder / "fetched")


ORDER = {
    "cas/sha256/aa/blob": (),
    "cas/sha256/ab/small": (b"small",),
    "trees/t.json": (b"tree",),
    "runs/r/steps/s.json": (b"record",),
    "ac/k.json": (b"old entry", b"new entry"),
}
"""The values that ``work`` writes to stay, in order, and what they may be at any moment."""


def check_whole(store: Store) -> int:
    """Assert that every value is whole and none overtook an earlier one; count them."""
    keys = set(store.list(""))
    assert keys <= {*ORDER, "leases/l"}
    for key in keys:
        allowed = ORDER.get(key, (b"claim",)) or (large(store.uri),)
        assert store.get(key) in allowed, f"{key} is half written"
    there = [key in keys for key in ORDER]
    assert there == sorted(there, reverse=True), "a later value is there without an earlier one"
    return len(keys)


def check_everywhere(uri: str, folder: Path) -> list[str]:
    """Do ``work`` again and again, each time killed one point later.

    After each kill the store is whole, and doing the work again finishes it.

    Args:
        uri: Where the stores are made: ``uri/0``, ``uri/1``...
        folder: For files.

    Returns:
        The lines of a table: operations, the points at them, and how many values were there.
    """
    hit: dict[str, list[str]] = {}
    for index, name in enumerate(_kill_everywhere(uri, folder)):
        place = f"{uri}/{index}"
        store = open_store(place, cache=folder / f"{index}-cache")
        hit.setdefault(name, []).append(f"{index}:{check_whole(store)}")
        again = prepare(place, folder / f"{index}-again")
        work(store, again)
        assert check_whole(store) == len(ORDER)
        assert store.get("ac/k.json") == b"new entry"
        assert (again / "fetched").read_bytes() == large(uri)
        leftovers = [path for path in Path(place, "tmp").glob("*") if path.is_file()]
        assert len(leftovers) <= 1, "no more than the unfinished file of the killed writer"
        for path in (place, folder / f"{index}", again, folder / f"{index}-cache"):
            shutil.rmtree(path, ignore_errors=True)
    points = sum(len(points) for points in hit.values())
    return [
        f"killed at {points} points; point:values that were there afterwards",
        *(f"  {name:24} {' '.join(points)}" for name, points in sorted(hit.items())),
    ]


def _kill_everywhere(uri: str, folder: Path) -> Iterator[str]:
    """Yield the name of each point after a process was killed there."""
    command = [sys.executable, "-m", "tests.pipelines.stores.interrupted", uri, str(folder)]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        while (name := process.stdout.readline().strip()) != "finished":
            assert name, "a process ended by itself before it had done its work"
            yield name
            process.stdin.write("next\n")
            process.stdin.flush()


def _interrupt(chosen: int, uri: str, folder: Path) -> None:
    """Count the operations of this process from now on, and do the work."""
    store = open_store(f"{uri}/{chosen}", cache=folder / f"{chosen}-cache")
    prepare(uri, folder / str(chosen))
    points = Points(chosen)
    if uri.startswith("gs://"):
        from requests.adapters import HTTPAdapter

        adapter: Any = HTTPAdapter
        adapter.send = points.around("request", adapter.send)
    else:
        for name in FILE_CALLS:
            setattr(os, name, points.around(name, getattr(os, name)))
        fcntl.flock = points.around("flock", fcntl.flock)
    work(store, folder / str(chosen))


def _main(uri: str, folder: Path) -> None:
    import google.cloud.storage  # noqa: F401 once, before the forks

    for chosen in itertools.count():
        child = os.fork()
        if child == 0:
            _interrupt(chosen, uri, folder)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        sys.stdin.readline()
    _write(1, b"finished\n")


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
