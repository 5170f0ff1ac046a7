"""What the pages of a store of very many runs cost: the service in a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.benchmarks.answering import p95_ms
from tests.benchmarks.table import Row
from tests.data.many_runs import ManyRuns

_RUNS, _DATASETS, _IMAGES = 13_500, 100, 1_500
_ASKED, _ASKED_S, _TABS, _POLL_S, _WATCHED_S = 60, 10.0, 50, 2.0, 20.0


def bench_pages(scratch: Path) -> Iterator[Row]:
    """A generated store of a million artifacts, asked as browsers ask."""
    return _measured(scratch, ManyRuns(_RUNS, _DATASETS, _IMAGES))


def bench_pages_small(scratch: Path) -> Iterator[Row]:
    """The same of a hundredth of the runs, in a minute: whether it comes to its end."""
    return _measured(scratch, ManyRuns(_RUNS // 100, _DATASETS // 20, _IMAGES // 10))


def _measured(scratch: Path, store: ManyRuns) -> Iterator[Row]:
    from pipelines.lineage.index.opening import open_index
    from pipelines.stores.directory import DirectoryStore

    began = time.perf_counter()
    folder = _written(store, scratch / "many")
    yield Row("store of generated runs, written", time.perf_counter() - began, "s", "")
    os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")
    began = time.perf_counter()
    with open_index(DirectoryStore(folder)) as index:
        (artifacts,) = index.one("SELECT count(*) FROM artifact") or (0,)
    took_s = time.perf_counter() - began
    yield Row(f"... index of {artifacts:,} artifacts, made anew", took_s, "s", "")
    with _served(folder) as (server, link_s, page_s):
        yield Row(f"serve, {store.runs:,} runs, until its link", link_s, "s", "<= 1")
        yield Row("... until the first page", page_s, "s", "")
        yield from _asked(server, store)
        yield from _watched(server)
        yield Row("... memory of the service", server.memory(), "MiB", "<= 250")


def _written(store: ManyRuns, folder: Path) -> Path:
    """Write all of a store into a folder, without waiting for the disk."""
    from pipelines.stores.directory import DirectoryStore

    if not folder.exists():
        written = DirectoryStore(folder, durable=False)
        for key, data in store.items():
            written.put_if_absent(key, data)
    return folder


@dataclass
class _Server:
    """The service, and a browser that has signed in."""

    process: int
    port: int
    link: str
    cookie: str = ""
    _own: threading.local = field(default_factory=threading.local)

    def get(self, path: str, tag: str = "") -> tuple[int, str, int]:
        """Ask for a page; return its status, its tag and its length."""
        headers = {"accept": "text/html"}
        if self.cookie:
            headers["cookie"] = self.cookie
        if tag:
            headers["if-none-match"] = tag
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self._own.connection = connection
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        length = len(answer.read())
        if found := re.match(r"(slimline-\d+=[^;]+)", answer.headers.get("set-cookie", "")):
            self.cookie = found[1]
        return answer.status, answer.headers.get("etag", ""), length

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        status = Path(f"/proc/{self.process}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    def processor_s(self) -> float:
        """Return the processor time that it has taken."""
        parts = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _served(folder: Path) -> Iterator[tuple[_Server, float, float]]:
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "serve",
        "--port",
        "0",
        "--store",
        str(folder),
    ]
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        try:
            link = process.stderr.readline().split()[1]
            link_s = time.perf_counter() - began
            port = int(re.findall(r":(\d+)/", link)[0])
            server = _Server(process.pid, port, link)
            assert server.get(link.partition(str(port))[2])[0] == 303
            assert server.get("/runs")[0] == 200
            page_s = time.perf_counter() - began
            time.sleep(5)  # its first look at the store
            yield server, link_s, page_s
        finally:
            process.terminate()


def _asked(server: _Server, store: ManyRuns) -> Iterator[Row]:
    """Ask for every page of the route table that such a store has, and for one that is unchanged."""
    from pipelines.web.app import ROUTES
    from pipelines.web.view import PageRoute

    draw = random.Random(0)
    made = _addresses(store, draw)
    largest = 0
    for route in ROUTES:
        if not isinstance(route, PageRoute) or route.path not in made:
            continue
        address = made[route.path]

        def ask(address: Callable[[], str] = address) -> None:
            nonlocal largest
            asked = address()
            status, _, length = server.get(asked)
            assert status in (200, 303), (asked, status)
            largest = max(largest, length)

        name = f"... {route.path}, p95 of {_ASKED}"
        yield Row(name, p95_ms(ask, _ASKED, within_s=_ASKED_S), "ms", "<= 100")
    yield Row("... the largest page", largest / 1e3, "kB", "<= 150")
    _, tag, _ = server.get("/runs")

    def unchanged() -> None:
        assert server.get("/runs", tag)[0] == 304

    yield Row(f"... unchanged, p95 of {_ASKED}", p95_ms(unchanged, _ASKED), "ms", "<= 5")


def _addresses(store: ManyRuns, draw: random.Random) -> Mapping[str, Callable[[], str]]:
    """Return what makes addresses of a page, by the path of its route."""

    def run() -> str:
        return store.name(draw.randrange(store.runs))

    def data() -> str:
        return store.artifact(draw.randrange(store.runs), "ingest", "dataset")

    def named() -> str:
        return quote(store.artifact(draw.randrange(store.runs), "publish", "release"))

    plain = ("/", "/actions", "/data", "/devices", "/health", "/lineage", "/metrics", "/releases",
             "/start", "/timeline", "/triggers")  # fmt: skip
    return {
        **{path: (lambda path=path: path) for path in plain},
        "/runs": lambda: f"/runs?before={run()}",
        "/runs/{run}": lambda: f"/runs/{run()}",
        "/runs/{run}/timeline": lambda: f"/runs/{run()}/timeline",
        "/runs/{run}/steps/{step}": lambda: f"/runs/{run()}/steps/publish",
        "/compare": lambda: f"/compare?run={run()}&pick=",
        "/data/{digest}": lambda: f"/data/{data()}",
        "/find": lambda: f"/find?what={run()}",
        "/lineage/affected": lambda: f"/lineage/affected?identity=p{draw.randrange(50)}",
        "/lineage/{what:path}": lambda: f"/lineage/{named()}",
        "/releases/{name}": lambda: "/releases/many",
    }


def _watched(server: _Server) -> Iterator[Row]:
    """Have very many tabs ask again and again, and look what that costs."""
    stopped = threading.Event()
    asked = 0

    def tab(number: int) -> None:
        nonlocal asked
        tag = ""
        stopped.wait(_POLL_S * number / _TABS)
        while not stopped.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                _, tag, _ = server.get("/runs", tag)
                asked += 1
            stopped.wait(_POLL_S)

    tabs = [threading.Thread(target=tab, args=(number,)) for number in range(_TABS)]
    for thread in tabs:
        thread.start()
    time.sleep(2 * _POLL_S)
    before, began = server.processor_s(), time.perf_counter()
    time.sleep(_WATCHED_S)
    share = (server.processor_s() - before) / (time.perf_counter() - began)
    stopped.set()
    for thread in tabs:
        thread.join()
    assert asked > _TABS * _WATCHED_S / _POLL_S / 2, "they were answered"
    yield Row(f"... {_TABS} open tabs, share of a core", 100 * share, "%", "<= 20")
