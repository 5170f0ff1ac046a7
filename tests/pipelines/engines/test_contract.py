"""What every engine of one machine promises, on the smallest run that has every component."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from components.artifacts.decision import Decision
from components.artifacts.manifest import MANIFEST, RECORDS, read_manifest
from components.contract.digests import digest, file_sha256
from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.launch.cancelling import cancel_run
from pipelines.launch.explaining import Changed, Upstream, explain
from pipelines.launch.launching import launch
from pipelines.runs.cache import Cache
from pipelines.runs.joined_records import read_joined
from pipelines.runs.kept.kept_documents import read_code, read_config, read_environment
from pipelines.runs.kept.kept_sources import read_source
from pipelines.runs.keys import Change
from pipelines.runs.ledger import times_opened
from pipelines.runs.live.events import StepDone, StepFailed, StepSkipped, StepStarted
from pipelines.runs.live.logs import read_log
from pipelines.runs.records import list_runs, read_run
from pipelines.runs.step_records import read_record
from pipelines.runs.verifying import verify_store
from pipelines.runs.workspace import workspace_root
from pipelines.stores.layout import announced_by
from pipelines.stores.opening import open_store
from tests.components.devices.killing import killed

TINY = Path(__file__).parents[2] / "data" / "tiny.yaml"
REPRODUCIBLE = ("ingest", "train", "distill", "prune", "quantize", "convert")

ENGINES = ["local", pytest.param("docker", marks=pytest.mark.containers)]


class Ran:
    """A finished run and everything that was said on the way."""

    def __init__(self, engine, store, output, config=TINY, **changes):
        self.config = load(config)
        if changes:
            self.config = self.config.model_copy(update=changes)
        self.engine, self.store, self.output = engine, store, output
        self.events = []
        self.launched = launch(
            self.config, engine=engine, store=str(store), output=output, on_event=self.events.append
        )

    @property
    def executed(self):
        return [event.step for event in self.events if isinstance(event, StepStarted)]

    @property
    def outputs(self):
        return {
            name: dict(event.outputs)
            for name, event in self.launched.steps.items()
            if isinstance(event, StepDone)
        }


@pytest.fixture(scope="module", params=ENGINES)
def first(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"first-{request.param}")
    ran = Ran(request.param, folder / "store", folder / "out")
    assert ran.launched.outcome == "done", [
        e for e in ran.launched.steps.values() if isinstance(e, StepFailed)
    ]
    return ran


@pytest.fixture
def copied(first, tmp_path):
    """A store of its own with all results of the first run."""
    shutil.copytree(first.store, tmp_path / "store")
    return tmp_path / "store"


def test_every_step_runs_once_and_the_release_is_laid_out(first):
    assert sorted(first.executed) == sorted(first.launched.steps)
    assert {"model.tflite", "manifest.json", "card.md", "card.html", "report.html"} <= {
        p.name for p in first.output.iterdir()
    }
    manifest = json.loads((first.output / "manifest.json").read_text())
    report = (first.output / "report.html").read_text()
    assert f'<body class="{"qualified" if manifest["qualified"] else "unqualified"}">' in report
    for part in ("Trainings", "distill conv 0.25", "prune 0.5: weights as float32", "int8"):
        assert part in report, part
    assert manifest["size_bytes"] == (first.output / "model.tflite").stat().st_size


def test_the_second_run_executes_nothing_and_gives_the_same(first, tmp_path):
    second = Ran(first.engine, first.store, tmp_path / "out")
    assert second.executed == []
    assert second.outputs == first.outputs
    assert all(
        explanation.reason is None for explanation in explain(first.config, store=str(first.store))
    )


def test_a_changed_parameter_runs_what_hangs_on_it_and_explain_says_why(first, copied, tmp_path):
    budgets = first.config.budgets.model_copy(update={"size_mb": 0.5})
    changed = first.config.model_copy(update={"budgets": budgets})
    reasons = {e.step: e.reason for e in explain(changed, store=str(copied)) if e.reason}
    assert reasons["select"] == Changed(
        (Change("parameters.size_mb", first.config.budgets.size_mb, 0.5),)
    )
    assert reasons["evaluate-sealed"] == Upstream("select")
    assert not [
        step for step in reasons if step.startswith(("train", "distill", "convert", "benchmark"))
    ]
    ran = Ran(first.engine, copied, tmp_path / "out", budgets=budgets)
    assert set(ran.executed) <= set(reasons)
    assert "select" in ran.executed


def test_a_step_is_known_by_its_place_and_not_by_its_name(first):
    """``prune-weights-50`` becomes ``prune-weights-70``: the same step with another sparsity."""
    path = first.config.variants["pruned-int8"]
    prune = path[1].model_copy(update={"parameters": {**path[1].parameters, "sparsity": 0.7}})
    variants = {**first.config.variants, "pruned-int8": [path[0], prune, *path[2:]]}
    changed = first.config.model_copy(update={"variants": variants})
    reasons = {item.step: item.reason for item in explain(changed, store=str(first.store))}
    assert reasons["prune-weights-70"] == Changed((Change("parameters.sparsity", 0.5, 0.7),))
    assert str(Change("parameters.sparsity", 0.5, 0.7)) == "parameters.sparsity: 0.5 -> 0.7"


def test_records_tell_what_happened(first):
    store = open_store(str(first.store))
    record = read_run(store, first.launched.run)
    assert record.outcome == "done"
    assert record.wall_s > record.critical_path_s > 0
    assert record in list_runs(store)
    train = json.loads(store.get(record.steps["train"]["record"]))
    assert train["_type"] == "https://in-toto.io/Statement/v1"
    assert train["predicate"]["buildDefinition"]["internalParameters"]["component"] == "train"
    found = read_record(store, record.steps["train"]["record"])
    assert found
    assert found.outputs == record.steps["train"]["outputs"]
    assert (found.run, found.step, found.outcome) == (record.run, "train", "ok")
    assert (found.image is None) == (first.engine == "local")
    assert found.key == record.steps["train"]["key"] == digest("step", found.ingredients)
    assert record.actor
    assert record.places["data"] == first.config.data


def test_the_sha256_of_the_released_file_is_a_subject_of_its_record(first):
    store = open_store(str(first.store))
    released = first.output / "model.tflite"
    subject = {"name": "release/model.tflite", "digest": {"sha256": file_sha256(released)}}
    publish = first.launched.steps["publish"].record
    assert subject in json.loads(store.get(publish))["subject"]
    for step in read_run(store, first.launched.run).steps.values():
        execution = read_record(store, step["record"])
        for output, tree in execution.outputs.items():
            entries = Cache(store, first.store / "tmp").tree(tree).entries
            assert {(output, entry.path): entry.sha256 for entry in entries} == {
                place: sha for place, sha in execution.files.items() if place[0] == output
            }

    assert isinstance(read_log(store, first.launched.run, "train"), str)
    with pytest.raises(UserError, match="no log of a step 'trian'") as caught:
        read_log(store, first.launched.run, "trian")
    assert "did you mean 'train'" in caught.value.fix


def test_what_records_name_by_digest_is_kept(first):
    store = open_store(str(first.store))
    record = read_run(store, first.launched.run)
    listing = read_source(store, record.sources["data"])
    assert listing.digest == record.sources["data"]
    assert read_config(store, record.config_digest) == first.config.content
    joined = read_joined(store, record.run)
    assert joined == {key: store.get(key) for key in store.list(f"runs/{record.run}/steps/")}
    for step in record.steps.values():
        made = read_record(store, step["record"])
        assert f"{made.component}.py" in read_code(store, made.ingredients["code"])
        assert read_environment(store, made.ingredients["environment"])["packages"]
    entries = [announced_by(key) for key in store.list("journal/")]
    assert {(kind, run) for _, kind, run in entries} >= {("run", record.run), ("note", record.run)}
    cache = Cache(store, first.store / "tmp")
    home = {name: cache.read_file(first.outputs["ingest"]["dataset"], name)
            for name in (MANIFEST, *RECORDS)}  # fmt: skip
    fates = list(read_manifest(home.get))
    assert len(fates) == 1797
    assert {fate.sha256 for fate in fates} == {listing.files[0].sha256}
    assert verify_store(store)[1] == []


def test_the_ledger_counts_runs_that_opened_the_sealed_images(first):
    sealed = first.outputs["ingest"]["sealed"]
    assert times_opened(open_store(str(first.store)), sealed) == 1


def flip_a_byte(store, cache, tree):
    entry = max(cache.tree(tree).entries, key=lambda e: e.size_bytes)
    path = store / f"cas/sha256/{entry.sha256[:2]}/{entry.sha256}"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)


def test_broken_bytes_are_never_used_but_made_again(first, copied, tmp_path):
    cache = Cache(open_store(str(copied)), tmp_path / "scratch")
    train = first.outputs["train"]["model"]
    flip_a_byte(copied, cache, train)
    # Something downstream must run, else nobody reads the broken bytes.
    distilled = next(name for name in first.outputs if name.startswith("distill"))
    (copied / "ac" / f"{first.launched.steps[distilled].key}.json").unlink()
    ran = Ran(first.engine, copied, tmp_path / "out")
    assert ran.launched.outcome == "done"
    assert set(ran.executed) == {"train", distilled}
    assert ran.outputs["train"] == first.outputs["train"]
    assert list(open_store(str(copied)).list("quarantine/"))


def test_a_blob_deleted_under_its_entry_is_made_again(first, copied, tmp_path):
    cache = Cache(open_store(str(copied)), tmp_path / "scratch")
    entry = cache.tree(first.outputs["convert-student"]["lite"]).entries[0]
    (copied / f"cas/sha256/{entry.sha256[:2]}/{entry.sha256}").unlink()
    ran = Ran(first.engine, copied, tmp_path / "out")
    assert ran.executed == ["convert-student"]
    assert ran.outputs == first.outputs


def test_what_was_disturbed_is_measured_again_when_asked(first, copied, tmp_path):
    cache = Cache(open_store(str(copied)), tmp_path / "scratch")
    step = "benchmark-student-host"
    result = cache.lookup(first.launched.steps[step].key)
    metrics = json.loads(cache.read_file(result.outputs["metrics"], "."))
    (tmp_path / "metrics").write_text(json.dumps(metrics | {"disturbed": 1}))
    cache.forget(result.key)
    disturbed = cache.put_tree(tmp_path / "metrics").digest
    # Of no record any more: one that is there would say otherwise.
    outputs = {**result.outputs, "metrics": disturbed}
    cache.commit(replace(result, outputs=outputs, record="runs/by-hand/steps/none.json"))
    assert step not in Ran(first.engine, copied, tmp_path / "out").executed
    again = []
    launch(
        first.config,
        engine=first.engine,
        store=str(copied),
        output=tmp_path / "out",
        remeasure=True,
        on_event=again.append,
    )
    assert step in {event.step for event in again if isinstance(event, StepStarted)}


def test_a_measurement_that_was_killed_is_for_its_run_alone(first, copied, tmp_path):
    """Killed from outside, twice, it leaves its variant undecided; the next run repeats it."""
    if first.engine != "local":
        pytest.skip("what runs in a container has no path that tells it from others")
    step = "benchmark-student-host"
    key = first.launched.steps[step].key
    cache = Cache(open_store(str(copied)), tmp_path / "scratch")
    cache.forget(key)
    with killed(str(workspace_root(cache.store)), times=2, end=".tflite") as pids:
        ran = Ran(first.engine, copied, tmp_path / "out")
    assert len(pids) == 2
    assert ran.launched.outcome == "done"
    assert cache.lookup(key) is None
    decision = ran.outputs["select"]["decision"]
    student = Decision.from_json(json.loads(cache.read_file(decision, Decision.FILE))).variant(
        "student"
    )
    assert student.verdict == "undecided"
    assert student.reason == "ended from outside on host: signal 9 (SIGKILL), twice"
    again = Ran(first.engine, copied, tmp_path / "out")
    assert step in again.executed
    assert cache.lookup(key) is not None


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("minutes: 0.05", "longer than its limit of 0.05 minutes"),
        ("memory_gb: 0.2", "GB of memory, its limit is 0.2 GB"),
    ],
)
def test_over_a_limit_the_step_fails_clearly_and_what_is_done_stays(
    first, copied, tmp_path, limit, said
):
    config = tmp_path / "tiny.yaml"
    config.write_text(
        TINY.read_text().replace("epochs: 1}", "epochs: 10000}", 1)
        + f"limits: {{train: {{{limit}}}}}\n"
    )
    ran = Ran(first.engine, copied, tmp_path / "out", config)
    assert ran.launched.outcome == "failed"
    failed = ran.launched.steps["train"]
    assert isinstance(failed, StepFailed)
    assert failed.user_fault
    assert said in failed.what
    assert "limits: {train:" in failed.fix
    assert isinstance(ran.launched.steps["ingest"], StepDone)
    assert isinstance(ran.launched.steps["publish"], StepSkipped)
    assert not (tmp_path / "out").exists()


def test_cancel_ends_at_once_and_skips_the_rest(first, tmp_path):
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY.read_text().replace("epochs: 1}", "epochs: 10000}", 1))
    engine = []

    def cancel_at_train(event):
        if isinstance(event, StepStarted) and event.step == "train":
            threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        engine.append(event)

    launched = launch(
        load(config),
        engine=first.engine,
        store=str(tmp_path / "store"),
        output=tmp_path / "out",
        on_event=cancel_at_train,
    )
    assert launched.outcome == "cancelled"
    assert isinstance(launched.steps["train"], StepSkipped)
    assert isinstance(launched.steps["ingest"], StepDone)
    assert read_run(open_store(str(tmp_path / "store")), launched.run).outcome == "cancelled"


def test_who_asks_in_the_store_ends_the_run_and_is_named(first, tmp_path):
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY.read_text().replace("epochs: 1}", "epochs: 10000}", 1))
    store = open_store(str(tmp_path / "store"))

    def ask_at_train(event):
        if isinstance(event, StepStarted) and event.step == "train":
            (run,) = list_runs(store)
            assert not cancel_run(store, run.run, actor="jane", reason="too long").cluster

    launched = launch(
        load(config),
        engine=first.engine,
        store=store.uri,
        output=tmp_path / "out",
        on_event=ask_at_train,
    )
    assert launched.outcome == "cancelled"
    assert isinstance(launched.steps["train"], StepSkipped)
    assert isinstance(launched.steps["ingest"], StepDone)
    asked = read_run(store, launched.run).cancelled
    assert (asked["actor"], asked["reason"]) == ("jane", "too long")
    with pytest.raises(UserError, match="has ended: cancelled"):
        cancel_run(store, launched.run, actor="joe")


def test_a_killed_engine_leaves_nothing_and_the_next_run_resumes(first, tmp_path):
    store = tmp_path / "store"
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        str(TINY),
        "--store",
        str(store),
        "--engine",
        first.engine,
        "--output",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while not list((store / "ac").glob("*.json") if (store / "ac").exists() else []):
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    time.sleep(1.0)
    children = psutil.Process(process.pid).children(recursive=True)
    assert read_run(open_store(str(store)), None).outcome == "running"
    process.kill()
    process.wait()
    assert read_run(open_store(str(store)), None).outcome == "broken"
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    durable = {path.stem for path in (store / "ac").glob("*.json")}
    ran = Ran(first.engine, store, tmp_path / "out")
    assert ran.launched.outcome == "done"
    for event in ran.launched.steps.values():
        assert event.cached == (event.key in durable)
    for name, outputs in ran.outputs.items():
        if name.startswith(REPRODUCIBLE):
            assert outputs == first.outputs[name], name
    assert not list((store / "tmp/work").iterdir())


def test_two_engines_on_one_store_agree_on_every_result(first, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        str(TINY),
        "--store",
        str(tmp_path / "store"),
        "--engine",
        first.engine,
        "--output",
    ]
    both = [
        subprocess.Popen(
            [*command, str(tmp_path / name)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for name in "ab"
    ]
    for process in both:
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint.decode()
    one, other = list_runs(open_store(str(tmp_path / "store")))
    assert {name: step["key"] for name, step in one.steps.items()} == {
        name: step["key"] for name, step in other.steps.items()
    }
    for name, step in one.steps.items():
        assert step["outputs"] == other.steps[name]["outputs"], name
    assert (tmp_path / "a/model.tflite").read_bytes() == (tmp_path / "b/model.tflite").read_bytes()


def test_a_full_disk_is_said_and_leaves_no_half_result(first, small_disk, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "run",
        str(TINY),
        "--store",
        str(small_disk / "store"),
        "--engine",
        first.engine,
        "--output",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert "fix:" in done.stderr
    # Where there is room for its last record, the run has failed; else it breaks off.
    outcomes = {run.outcome for run in list_runs(open_store(str(small_disk / "store")))}
    assert outcomes <= {"broken", "failed"}
    cache = Cache(open_store(str(small_disk / "store")), tmp_path / "scratch")
    for path in (
        (small_disk / "store/ac").glob("*.json") if (small_disk / "store/ac").exists() else []
    ):
        assert cache.lookup(path.stem)


def test_every_engine_makes_what_the_local_one_makes_and_they_share_one_cache(
    first, copied, tiny_run, tmp_path
):
    local = read_run(open_store(str(tiny_run.store)), tiny_run.run).steps
    for name, outputs in first.outputs.items():
        if name.startswith(REPRODUCIBLE):
            assert outputs == local[name]["outputs"], name
    shutil.copytree(tiny_run.store, tmp_path / "local")
    assert Ran(first.engine, tmp_path / "local", tmp_path / "out").executed == []
    assert Ran("local", copied, tmp_path / "out").executed == []
