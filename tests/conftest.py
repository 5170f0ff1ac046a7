"""Fixtures for all tests."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.data import deep_trees, patterns
from tests.data.disks import mounted
from tests.data.made_once import made_once
from tests.data.tensorflow_threads import two_threads
from tests.servers.gcs.server import GcsServer
from tests.servers.s3.seaweedfs import ACCESS_KEY, BUCKET, SECRET_KEY, SeaweedFs

if TYPE_CHECKING:
    from tests.servers.kfp.cluster import LocalRun
    from tests.servers.kfp.server import KfpServer
    from tests.servers.s3.proxy import S3Proxy

# How long one example takes says nothing here: the machine may be busy. What must hold before a
# change lands is tried on the same examples each time; people's own runs look further.
settings.register_profile("people", deadline=None)
settings.register_profile("gate", deadline=None, derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") else "people")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--containers`` also runs what needs a Docker Engine and the images, ``--examples`` more."""
    parser.addoption("--containers", action="store_true", help="run tests that need containers")
    parser.addoption("--slow", action="store_true", help="run tests that take long")
    parser.addoption("--examples", action="store_true", help="run whole examples (half an hour)")


LONG = (
    "pipelines/engines/test_contract.py",
    "pipelines/engines/test_demo.py",
    "pipelines/engines/machine/test_docker.py",
    "pipelines/engines/kubeflow/ir/test_docker_runner.py",
    "pipelines/engines/test_bucket_runs.py",
    "components/ml/techniques/test_importing.py",
    "pipelines/stores/test_contract.py",
    "pipelines/runs/test_verifying.py",
    "test_readme.py",
    "test_contributing.py",
    "docs/test_forms.py",
    "docs/test_kubeflow.py",
    "pipelines/engines/machine/test_kill.py",
    "pipelines/engines/kubeflow/test_emulated_run.py",
    "pipelines/cli/test_running.py",
    "pipelines/cli/test_demo.py",
    "browser/test_pages.py",
)
"""What takes a minute or so: begun last, one would run alone while other processors rest."""


def pytest_configure() -> None:
    """Give TensorFlow the same threads in every order of the tests."""
    two_threads()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long files; skip, and say so, what nobody asked for."""
    order = {Path(__file__).parent / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(LONG)))
    asked = {
        "containers": "needs Docker and the images: make test-containers",
        "slow": "takes long: make test-slow",
        "examples": "runs whole examples, which takes long: pytest --examples",
    }
    for mark, reason in asked.items():
        if config.getoption(f"--{mark}"):
            continue
        for item in items:
            if mark in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data; tests that need it skip where there is none."""
    if "SLIMLINE_SHARED" not in os.environ:
        pytest.skip("SLIMLINE_SHARED names no folder with real data")
    return Path(os.environ["SLIMLINE_SHARED"])


@pytest.fixture(scope="session")
def pattern_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dataset of four patterns, 8 x 8 x 1, for classification."""
    path = tmp_path_factory.mktemp("patterns") / "dataset"
    return patterns.write_patterns(path, "classification").path


@pytest.fixture(scope="session")
def pattern_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images as ``pattern_data`` for verification."""
    path = tmp_path_factory.mktemp("patterns") / "dataset"
    return patterns.write_patterns(path, "verification").path


@pytest.fixture(scope="session")
def pattern_classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model that tells the patterns apart; read only."""
    return _pattern_model(tmp_path_factory, "classification")


@pytest.fixture(scope="session")
def pattern_verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Model that embeds the patterns; read only."""
    return _pattern_model(tmp_path_factory, "verification")


def _pattern_model(folders: pytest.TempPathFactory, task: str) -> Path:
    def make(folder: Path) -> None:
        # In a process of its own: TensorFlow may run here already, with other threads.
        write = "import sys, pathlib; from tests.data.patterns import write_model as write; "
        write += "write(pathlib.Path(sys.argv[1]), sys.argv[2])"
        words = [sys.executable, "-c", write, str(folder / "model"), task]
        subprocess.run(words, cwd=Path(__file__).parents[1], check=True, capture_output=True)

    return made_once(folders, f"pattern-{task}", make) / "model"


@pytest.fixture(scope="session")
def lite_patterns(
    tmp_path_factory: pytest.TempPathFactory, pattern_classifier: Path, pattern_data: Path
) -> Mapping[str, Path]:
    """The classifier in every scheme: folders with model, lite and report; read only.

    Int8 is there with float32, uint8 and int8 edges, as int8, int8-uint8 and int8-int8.
    """
    plans: dict[str, dict[str, object] | None] = {
        "float32": None,
        "float16": {"scheme": "float16"},
        "dynamic": {"scheme": "dynamic"},
        "int8": {"scheme": "int8"},
        "int8-uint8": {"scheme": "int8", "input_type": "uint8", "output_type": "uint8"},
        "int8-int8": {"scheme": "int8", "input_type": "int8", "output_type": "int8"},
    }

    def make(root: Path) -> None:
        from components.convert import convert
        from tests.components.flat import quantize

        for name, plan in plans.items():
            folder = root / name
            model = pattern_classifier if plan is None else folder / "model"
            if plan is not None:
                quantize(pattern_classifier, pattern_data, model, folder / "plan", **plan)
            convert(model, folder / "lite", folder / "report")

    root = made_once(tmp_path_factory, "lite-patterns", make)
    return {name: root / name for name in plans}


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsServer]:
    """A storage service that clients of this process and of its children talk to."""
    with GcsServer() as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        yield server


@pytest.fixture
def kfp() -> Iterator[KfpServer]:
    """An API server of Kubeflow Pipelines, the newest."""
    from tests.servers.kfp.server import KfpServer

    with KfpServer() as server:
        yield server


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> LocalRun:
    """A local run of the smallest configuration, whose artifacts a cluster lays out."""
    from tests.servers.kfp.cluster import finished_run, local_run

    tiny = Path(__file__).parent / "data" / "tiny.yaml"

    def make(folder: Path) -> None:
        local_run(tiny, folder / "store")

    if ready := os.environ.get("SLIMLINE_TINY_RUN"):
        return finished_run(tiny, Path(ready))
    return finished_run(tiny, made_once(tmp_path_factory, "tiny", make) / "store")


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFs]:
    """A real S3 service, without buckets that anybody relies on."""
    with SeaweedFs(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture
def s3(seaweedfs: SeaweedFs, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Proxy]:
    """The same behind a proxy, for clients of this process and of its children."""
    from tests.servers.s3.proxy import S3Proxy

    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with S3Proxy(seaweedfs.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        yield proxy


@pytest.fixture
def cleared(tmp_path: Path) -> Iterator[Path]:
    """``tmp_path``, where trees may be left that are too deep for pytest to remove."""
    yield tmp_path
    deep_trees.clear(tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    with mounted(tmp_path / "small-disk", "size=1m") as folder:
        yield folder


class GcsProcess:
    """A storage service that is a process of its own, with a bucket ``stores``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._process: subprocess.Popen[str] | None = None

    def __call__(self, *arguments: str) -> str:
        """Start it; the arguments are those of ``python -m tests.servers.gcs.server``.

        Returns:
            Its address, which clients in this process and its children use from now on.
        """
        command = [
            sys.executable,
            "-m",
            "tests.servers.gcs.server",
            "--bucket",
            "stores",
            *arguments,
        ]
        self.end()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        url = self._process.stdout.readline().strip()
        self._monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
        return url

    def faults(self) -> dict[str, int]:
        """End it and return how often which request failed on purpose."""
        assert self._process
        self._process.terminate()
        printed, _ = self._process.communicate(timeout=30)
        return json.loads(printed)

    def end(self) -> None:
        """Kill it if it runs."""
        if self._process:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def gcs_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsProcess]:
    """See ``GcsProcess``."""
    process = GcsProcess(monkeypatch)
    yield process
    process.end()


@pytest.fixture(params=["directory", "bucket", pytest.param("s3", marks=pytest.mark.slow)])
def store_uri(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Addresses of new stores, by name, on a disk and on two storage services."""
    if request.param == "directory":
        return lambda name: str(tmp_path / "stores" / name)
    if request.param == "s3":
        request.getfixturevalue("s3")
        place = f"s3://{BUCKET}/{tmp_path.name}-{secrets.token_hex(4)}"
        return lambda name: f"{place}/{name}"
    request.getfixturevalue("gcs_process")()
    return lambda name: f"gs://stores/{name}"


@pytest.fixture
def fast_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where a sync takes no time; an ordinary one where there is no such."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)
