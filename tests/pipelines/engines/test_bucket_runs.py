"""Whole runs over object storage that fails: the same results as on a disk."""

from pathlib import Path

import pytest

from pipelines.config import load
from pipelines.engines import StepDone, StepStarted
from pipelines.launch import launch
from pipelines.sources import snapshot
from pipelines.stores.bucket import BucketStore

DIGITS = "digits.csv.gz"
TINY = Path(__file__).parents[2] / "tiny.yaml"
REPRODUCIBLE = ("ingest", "train", "distill", "prune", "quantize", "convert")

ENGINES = ["local", pytest.param("docker", marks=pytest.mark.containers)]


def run(engine, store, output, data=None):
    events = []
    config = load(TINY).relocated(data=data)
    launched = launch(config, engine=engine, store=store, output=output, on_event=events.append)
    assert launched.outcome == "done", launched.steps
    return launched, [event.step for event in events if isinstance(event, StepStarted)]


def made(launched):
    return {
        name: dict(event.outputs)
        for name, event in launched.steps.items()
        if isinstance(event, StepDone) and name.startswith(REPRODUCIBLE)
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bucket_whose_requests_fail_gives_what_a_disk_gives(
    engine, gcs_process, tmp_path, monkeypatch
):
    monkeypatch.setenv("HOME", str(tmp_path / "one-machine"))  # where its cache lies
    gcs_process("--faults", "0.05", "--seed", "7")
    BucketStore("gs://stores/data").put_if_absent(DIGITS, snapshot(load(TINY).data).place.root)
    data = f"gs://stores/data/{DIGITS}"
    over_bucket, _ = run(engine, "gs://stores/runs", tmp_path / "a", data)
    on_disk, _ = run("local", str(tmp_path / "store"), tmp_path / "b")
    assert made(over_bucket) == made(on_disk)
    # Another machine has another cache, and the same results by the action cache in the bucket.
    monkeypatch.setenv("HOME", str(tmp_path / "another-machine"))
    again, executed = run(engine, "gs://stores/runs", tmp_path / "c", data)
    assert executed == []
    assert again.steps.keys() == over_bucket.steps.keys()
    assert (tmp_path / "a/model.tflite").read_bytes() == (tmp_path / "c/model.tflite").read_bytes()
