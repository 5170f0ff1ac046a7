"""The demo in containers over object storage that fails makes what it makes on this machine."""

from pathlib import Path

import pytest

from pipelines.config.loading import load
from pipelines.launch.launching import launch
from pipelines.runs.live.events import StepDone, StepStarted

DEMO = Path(__file__).parents[3] / "pipelines" / "examples" / "digits.yaml"
REPRODUCIBLE = (
    "ingest",
    "train",
    "distill",
    "prune",
    "quantize",
    "convert",
    "evaluate-teacher",
    "evaluate-student",
    "evaluate-pruned",
)


def run(engine, store, output):
    events = []
    launched = launch(load(DEMO), engine=engine, store=store, output=output, on_event=events.append)
    assert launched.outcome == "done", launched.steps
    return launched, [event.step for event in events if isinstance(event, StepStarted)]


# Of the smallest run the same is shown each time, in test_contract.py and test_bucket_runs.py.
@pytest.mark.examples
@pytest.mark.containers
@pytest.mark.timeout(1800)
def test_the_demo_under_both_engines(gcs_process, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # where the cache of the bucket lies
    gcs_process("--faults", "0.05", "--seed", "11")
    contained, executed = run("docker", "gs://stores/demo", tmp_path / "a")
    assert sorted(executed) == sorted(contained.steps)
    local, _ = run("local", str(tmp_path / "store"), tmp_path / "b")
    compared = 0
    for name, event in contained.steps.items():
        other = local.steps[name]
        assert isinstance(event, StepDone)
        assert isinstance(other, StepDone)
        if name.startswith(REPRODUCIBLE):
            compared += 1
            assert event.key == other.key, name
            assert dict(event.outputs) == dict(other.outputs), name
    assert compared == 25
    # Either finds in the cache what the other has made.
    assert run("local", "gs://stores/demo", tmp_path / "c")[1] == []
    assert run("docker", str(tmp_path / "store"), tmp_path / "d")[1] == []
    assert sum(gcs_process.faults().values()) > 10
