"""Whole runs over object storage that fails: the same results as on a disk."""

import json
import re
import secrets
from pathlib import Path

import pytest

from pipelines.config.loading import load
from pipelines.launch.launching import launch
from pipelines.runs.live.events import StepDone, StepStarted
from pipelines.runs.records import read_run
from pipelines.sources.snapshot import snapshot
from pipelines.stores.bucket import BucketStore
from pipelines.stores.opening import open_store
from tests.servers.s3.seaweedfs import BUCKET

ROOT = Path(__file__).parents[3]
REPRODUCIBLE = ("ingest", "train", "distill", "prune", "quantize", "convert")

ENGINES = ["local", pytest.param("docker", marks=pytest.mark.containers)]
CONFIGS = [
    "tests/data/tiny.yaml",
    pytest.param("pipelines/examples/digits.yaml", marks=pytest.mark.examples),
    pytest.param("pipelines/examples/faces.yaml", marks=pytest.mark.examples),
]


def configured(path, folder, request):
    """An example as it stands; of the faces the graph and the data, with 2 epochs a training."""
    if not path.endswith("faces.yaml"):
        return load(ROOT / path)
    short = re.sub(r"epochs: \d+", "epochs: 2", (ROOT / path).read_text())
    (folder / "faces.yaml").write_text(short)
    data = request.getfixturevalue("shared") / "data/orl"
    return load(folder / "faces.yaml").relocated(data=str(data))


def uploaded(config, place="gs://stores/data"):
    """The same configuration with its data in the bucket."""
    source = snapshot(config.data)
    root = source.place.root
    where = place if root.is_dir() else f"{place}/{root.name}"
    files = ((file.name, root / file.name if root.is_dir() else root) for file in source.files)
    BucketStore(place, root=True).put_many(files)
    return config.relocated(data=where)


def run(config, engine, store, output):
    events = []
    launched = launch(config, engine=engine, store=store, output=output, on_event=events.append)
    assert launched.outcome == "done", launched.steps
    return launched, [event.step for event in events if isinstance(event, StepStarted)]


def made(launched):
    return {
        name: dict(event.outputs)
        for name, event in launched.steps.items()
        if isinstance(event, StepDone) and name.startswith(REPRODUCIBLE)
    }


def made_on_disk(config, tiny_run, folder):
    """The same of a run on a disk, which the smallest configuration has had already."""
    if config.digest != tiny_run.config.digest:
        return made(run(config, "local", str(folder / "store"), folder / "b")[0])
    steps = read_run(open_store(str(tiny_run.store)), tiny_run.run).steps
    return {
        name: dict(step["outputs"]) for name, step in steps.items() if name.startswith(REPRODUCIBLE)
    }


def files_in(folder):
    """Return every file but the list of them, which names the run."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert json.loads(files.pop("files.json"))["files"].keys() == files.keys()
    return files


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", CONFIGS)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_bucket_whose_requests_fail_gives_what_a_disk_gives(
    engine, path, gcs_process, tiny_run, tmp_path, monkeypatch, request
):
    config = configured(path, tmp_path, request)
    monkeypatch.setenv("HOME", str(tmp_path / "one-machine"))  # where its cache lies
    gcs_process("--faults", "0.05", "--seed", "7")
    in_bucket = uploaded(config)
    over_bucket, _ = run(in_bucket, engine, "gs://stores/runs", tmp_path / "a")
    assert made(over_bucket) == made_on_disk(config, tiny_run, tmp_path)
    # Another machine has another cache, and the same results by the action cache in the bucket.
    monkeypatch.setenv("HOME", str(tmp_path / "another-machine"))
    again, executed = run(in_bucket, engine, "gs://stores/runs", tmp_path / "c")
    assert executed == []
    assert again.steps.keys() == over_bucket.steps.keys()
    assert files_in(tmp_path / "a") == files_in(tmp_path / "c")
    assert sum(gcs_process.faults().values()) > 10


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("path", CONFIGS)
def test_so_does_a_service_that_speaks_s3(path, s3, tiny_run, tmp_path, monkeypatch, request):
    config = configured(path, tmp_path, request)
    monkeypatch.setenv("HOME", str(tmp_path / "one-machine"))
    place = f"s3://{BUCKET}/{secrets.token_hex(8)}"
    in_bucket = uploaded(config, f"{place}/data")
    s3.faults.rate = 0.05
    s3.faults.repeat(7)
    over_bucket, _ = run(in_bucket, "local", f"{place}/runs", tmp_path / "a")
    assert made(over_bucket) == made_on_disk(config, tiny_run, tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "another-machine"))
    again, executed = run(in_bucket, "local", f"{place}/runs", tmp_path / "c")
    assert executed == []
    assert again.steps.keys() == over_bucket.steps.keys()
    assert files_in(tmp_path / "a") == files_in(tmp_path / "c")
    assert s3.faults.hit.total() > 10
