"""The image of the service: what it does, it does without what it does not install."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from pipelines.images import building
from pipelines.images.building import find, image_name, requirements
from pipelines.images.daemon import connect
from pipelines.images.service import SERVICE, SERVICE_PACKAGES
from pipelines.runs.records import list_runs
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.launches import Launching
from tests.servers.kfp.cluster import Cluster

ROOT = Path(__file__).parents[3]
LARGEST_BYTES = 600e6
_NAME = re.compile(r"[A-Za-z0-9._-]+")

ALONE = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

REFUSED = set(sys.argv[1].split())
sys.meta_path.insert(0, Refused())
from pipelines.cli.main import main
from pipelines.engines.kubeflow.watching import watcher

watcher.POLL_S = watcher.POLL_MAX_S = 0.01
sys.exit(main(sys.argv[2:]))
"""
"""Runs a command where nothing can be imported that the image does not have; it looks often."""


def installed_with(names: tuple[str, ...]) -> set[str]:
    """Return the distributions that pip installs for these, by what those here require."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        for line in metadata.requires(name) or ():
            required = _NAME.match(line)
            assert required
            try:
                metadata.version(required[0])
            except metadata.PackageNotFoundError:
                continue
            if "extra ==" not in line:
                wanted.append(required[0])
    return found


@pytest.fixture(scope="module")
def refused() -> str:
    """Modules of this environment that the image does not have."""
    there = installed_with(SERVICE_PACKAGES)
    names = {
        module
        for module, owners in metadata.packages_distributions().items()
        if not {owner.lower().replace("_", "-") for owner in owners} & there
    }
    assert {"tensorflow", "tf_keras", "sklearn", "kfp", "docker", "ai_edge_litert"} <= names
    return " ".join(sorted(names - {"components", "pipelines", "tests", "docs"}))


def alone(refused: str, *words: str | Path) -> list[str]:
    return [sys.executable, "-c", ALONE, refused, *map(str, words)]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def called(refused: str, place: Path, *words: str | Path) -> str:
    done = subprocess.run(
        alone(refused, *words), cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 3), done.stderr
    return done.stdout


def test_a_run_is_submitted_watched_and_imported(
    cluster: Cluster, config_path: Path, place: Path, refused: str
) -> None:
    Launching(cluster, place)  # the cluster takes a step whenever it is asked
    store = place / "store"
    words = ["--store", store, "--engine", "kubeflow", "--host", cluster.kfp.url]
    called(refused, place, "run", config_path, *words)
    (record,) = list_runs(open_store(str(store)))
    assert record.outcome == "done"
    for question in ("show", "runs", "releases", "verify", "triggers list"):
        called(refused, place, *question.split(), "--store", store, "--json")
    watched = ["schedule", "add", config_path, "--cron", "0 4 * * *", *words]
    called(refused, place, *watched)
    called(refused, place, "tick", "--store", store)
    called(refused, place, "sync", *words)


@pytest.fixture
def served(place: Path, refused: str) -> Iterator[str]:
    (place / "store").mkdir()
    words = alone(refused, "serve", "--store", "store", "--port", "0")
    with subprocess.Popen(words, cwd=place, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        found = re.search(r"http://\S+", process.stderr.readline())
        assert found
        yield found[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_pages_are_served(served: str) -> None:
    with urllib.request.build_opener(urllib.request.HTTPCookieProcessor()).open(served) as page:
        assert page.status == 200
        assert b"<main" in page.read()


def test_it_is_built_of_its_packages_and_all_code(tmp_path: Path) -> None:
    assert requirements(SERVICE) == list(SERVICE_PACKAGES)
    sources = building._sources(SERVICE)
    assert {"constraints.txt", "pipelines/web/app.py", "components/train.py"} <= sources.keys()
    assert "pipelines/web/static/app.css" in sources
    assert "Dockerfiles/Dockerfile" not in sources, "images of steps are named as they were"
    assert not [name for name in building._sources("train") if name.startswith("pipelines")]
    assert image_name(SERVICE).startswith("slimline/service:")


# in a container ---------------------------------------------------------------------------------


@pytest.mark.containers
def test_the_image_serves_pages_and_holds_no_tensorflow(tmp_path: Path) -> None:
    client = connect()
    found = find(client, SERVICE)
    assert found.size_bytes < LARGEST_BYTES
    program = (
        "import importlib.util, json, os;"
        "names = ('tensorflow', 'kfp', 'docker', 'sklearn', 'starlette', 'kfp_server_api');"
        "print(json.dumps([[n for n in names if importlib.util.find_spec(n)], os.getuid()]))"
    )
    printed = client.containers.run(
        found.digest, ["-c", program], entrypoint="python", remove=True, network_mode="none",
        read_only=True,
    )  # fmt: skip
    assert json.loads(printed) == [["starlette", "kfp_server_api"], 65532]
    container = client.containers.create(
        found.digest,
        ["-c", "mkdir store && exec python -m pipelines.cli serve --store store"],
        entrypoint="sh", network_mode="none",
        read_only=True, cap_drop=["ALL"], security_opt=["no-new-privileges"],
        tmpfs={"/home/slimline": "uid=65532", "/tmp": "uid=65532"},
    )  # fmt: skip
    try:
        container.start()
        assert "http://127.0.0.1:8080" in _said(container)
        asks = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/alive').read())"
        answer = container.exec_run(["python", "-c", asks])
        assert answer.exit_code == 0, answer.output
        assert b"ok" in answer.output
        container.kill("SIGTERM")
        assert container.wait(timeout=30)["StatusCode"] == 0
    finally:
        container.remove(force=True)


def _said(container: object) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        said = container.logs().decode()  # type: ignore[attr-defined]
        if "http://" in said:
            return said
        time.sleep(0.2)
    raise AssertionError(container.logs().decode())  # type: ignore[attr-defined]
