"""Sync: what nobody watched is imported, whole or not at all, however often and by whomever."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from components.artifacts.manifest import read_manifest
from pipelines.cli.main import main
from pipelines.compress import graph_of
from pipelines.config.loading import load
from pipelines.engines.kubeflow.api.connection import Connection
from pipelines.engines.kubeflow.ir.preflight import check
from pipelines.engines.kubeflow.launching import submitting
from pipelines.engines.kubeflow.launching.preparing import prepare
from pipelines.engines.kubeflow.syncing import Synced, sync
from pipelines.runs.cache import Cache, CorruptionError
from pipelines.runs.joined_records import read_joined
from pipelines.runs.kept.cluster_results import DATASET_FILES
from pipelines.runs.kept.kept_documents import read_code, read_config
from pipelines.runs.kept.kept_graphs import read_graph
from pipelines.runs.kept.kept_sources import read_source
from pipelines.runs.records import list_runs, read_run
from pipelines.runs.step_records import read_record
from pipelines.runs.verifying import verify_run, verify_store
from pipelines.sources.snapshot import snapshots
from pipelines.stores.layout import blob_key, kind_of
from pipelines.stores.opening import open_store
from tests.pipelines.stores.damage import remove
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"
BOARD = ("winner", "reason", "variants", "budgets", "minimize", "baseline", "near_misses", "data")


def launched(cluster: Cluster, config: Path, scratch: Path, name: str = "by hand") -> str:
    """Launch a run that nobody watches, under a name of one's own."""
    scratch.mkdir(exist_ok=True)
    loaded = load(config)
    graph = graph_of(loaded)
    reachable = check(loaded, graph)
    connection = Connection(cluster.kfp.url)
    prepared = prepare(connection, reachable, snapshots(graph.sources), scratch)
    return submitting.submit(connection, prepared.uploaded, name)


@pytest.fixture
def finished(cluster: Cluster, config_path: Path, tmp_path: Path) -> str:
    """A run that has ended, as the cluster knows it."""
    run = launched(cluster, config_path, tmp_path / "launch")
    cluster.complete(run)
    return run


def bring(cluster: Cluster, store: Path) -> list[Synced]:
    scratch = store.parent / f"scratch-{threading.get_ident()}"
    scratch.mkdir(exist_ok=True)
    return sync(Connection(cluster.kfp.url), Cache(open_store(str(store)), scratch), scratch)


def everything(store: Path) -> dict[str, bytes]:
    """Return what a store holds, but for the journal, which says when."""
    opened = open_store(str(store))
    return {key: opened.get(key) for key in opened.list("") if kind_of(key) != "journal"}


def board(store: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["show", "--store", str(store), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_show_answers_as_if_the_run_had_been_local(
    cluster: Cluster, finished: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["sync", "--engine", "kubeflow", "--host", cluster.kfp.url]
    assert main([*command, "--store", str(tmp_path / "store")]) == 0
    captured = capsys.readouterr()
    assert captured.out == "1 of 1 runs imported\n"
    assert captured.err.startswith("imported       tiny-")
    here, there = board(tmp_path / "store", capsys), board(cluster.local.store, capsys)
    assert {key: here[key] for key in BOARD} == {key: there[key] for key in BOARD}
    assert (here["engine"], here["outcome"], here["steps_run"]) == ("kubeflow", "done", 18)
    store = open_store(str(tmp_path / "store"))
    (release,) = [json.loads(store.get(key)) for key in store.list("releases/tiny/")]
    (record,) = list_runs(store)
    assert release["release"] == record.steps["publish"]["outputs"]["release"]
    assert record.page == f"{cluster.kfp.url}/#/runs/details/{finished}"


def test_what_digests_are_of_comes_home_with_the_run(
    cluster: Cluster, config_path: Path, finished: str, tmp_path: Path
) -> None:
    assert finished
    (synced,) = bring(cluster, tmp_path / "store")
    store, config = open_store(str(tmp_path / "store")), load(config_path)
    record = read_run(store, synced.run)
    listing = read_source(store, record.sources["data"])
    assert listing
    assert listing.digest == snapshots(graph_of(config).sources)["data"].digest
    assert read_config(store, record.config_digest) == config.content
    assert read_graph(store, record.graph_digest, record.name)
    joined = read_joined(store, synced.run)
    assert joined == {step["record"]: store.get(step["record"]) for step in record.steps.values()}
    for step in record.steps.values():
        made = read_record(store, step["record"])
        assert made
        assert read_code(store, made.ingredients["code"])
    assert verify_store(store)[1] == []


def test_manifests_come_home_and_images_do_not(
    cluster: Cluster, finished: str, tmp_path: Path
) -> None:
    assert finished
    (synced,) = bring(cluster, tmp_path / "store")
    store = open_store(str(tmp_path / "store"))
    cache = Cache(store, tmp_path / "a")
    local = Cache(open_store(str(cluster.local.store)), tmp_path / "b")
    for output in ("dataset", "sealed"):
        tree = read_run(store, synced.run).steps["ingest"]["outputs"][output]
        names = {entry.path for entry in cache.tree(tree).entries}
        at_home = names & DATASET_FILES
        assert {"manifest.jsonl", "dataset.json"} <= at_home
        assert ("records/pixels.bin" in at_home) == (output == "dataset")
        for name in at_home:
            assert cache.read_file(tree, name) == local.read_file(tree, name)
        images = [name for name in names if name.endswith("images.npy")]
        assert images
        for name in images:
            with pytest.raises(CorruptionError):
                cache.read_file(tree, name)

        home = {name: cache.read_file(tree, name) for name in at_home}
        fates = list(read_manifest(home.get))
        assert fates
        whole = output == "dataset"  # the sealed one counts its records
        assert ("sealed" in {fate.split for fate in fates}) == whole
    model = read_record(store, read_run(store, synced.run).steps["train"]["record"])
    assert model
    assert ("model", "weights.safetensors") in model.files
    assert verify_store(store)[1] == []
    assert verify_run(store, synced.run)[1] == []


def test_what_should_be_home_and_is_not_is_missing(
    cluster: Cluster, finished: str, tmp_path: Path
) -> None:
    assert finished
    (synced,) = bring(cluster, tmp_path / "store")
    store = open_store(str(tmp_path / "store"))
    tree = read_run(store, synced.run).steps["ingest"]["outputs"]["dataset"]
    files = {entry.path: entry for entry in Cache(store, tmp_path).tree(tree).entries}
    key = blob_key(files["manifest.jsonl"].sha256)
    remove(store, key)
    for found in (verify_store(store)[1], verify_run(store, synced.run)[1]):
        assert {one.place: one.state for one in found} == {key: "missing"}


def test_a_manifest_that_was_changed_in_the_bucket_keeps_its_run_away(
    cluster: Cluster, finished: str, tmp_path: Path
) -> None:
    victim = f"{cluster.address(finished, 'ingest', 'dataset')}/manifest.jsonl"
    whole = kfp_cluster.read(cluster.gcs, victim)
    kfp_cluster.put(cluster.gcs, victim, whole + b"\n")
    (synced,) = bring(cluster, tmp_path / "store")
    assert synced.state == "damaged"
    assert "manifest.jsonl has the sha256" in str(synced.error)
    assert list(open_store(str(tmp_path / "store")).list("runs/")) == []
    kfp_cluster.put(cluster.gcs, victim, whole)
    assert [one.state for one in bring(cluster, tmp_path / "store")] == ["imported"]


def test_syncing_again_changes_nothing(cluster: Cluster, finished: str, tmp_path: Path) -> None:
    first = bring(cluster, tmp_path / "store")
    before = everything(tmp_path / "store")
    second = bring(cluster, tmp_path / "store")
    assert [one.state for one in first] == ["imported"]
    assert [(one.run, one.state) for one in second] == [(first[0].run, "here already")]
    assert everything(tmp_path / "store") == before
    elsewhere = bring(cluster, tmp_path / "elsewhere")
    assert elsewhere[0].run == first[0].run, "the identifier hangs on the run alone"
    assert everything(tmp_path / "elsewhere") == before


def test_what_the_cluster_took_from_an_earlier_run_is_found_there(
    cluster: Cluster, config_path: Path, finished: str, tmp_path: Path
) -> None:
    again = launched(cluster, config_path, tmp_path / "launch", "again")
    cluster.complete(again, cached_from=finished)
    own = kfp_cluster.names(cluster.gcs, f"{kfp_cluster.ROOT}/tiny/{again}/")
    assert {name.split("/")[6] for name in own} == {"select", "evaluate-sealed", "publish"}
    synced = bring(cluster, tmp_path / "store")
    store = open_store(str(tmp_path / "store"))
    first, second = (read_run(store, one.run) for one in synced)
    states = {name: step["state"] for name, step in second.steps.items()}
    assert {name for name, state in states.items() if state == "done"} == {
        "select", "evaluate-sealed", "publish"
    }  # fmt: skip
    assert {n: s["outputs"] for n, s in first.steps.items()} == {
        n: s["outputs"] for n, s in second.steps.items()
    }
    record = json.loads(store.get(second.steps["train"]["record"]))
    assert record["predicate"]["runDetails"]["metadata"]["invocationId"] == f"{finished}/train"


def test_a_flipped_byte_keeps_its_run_away_and_no_other(
    cluster: Cluster, config_path: Path, finished: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = cluster.address(finished, "evaluate-student", "report")
    victim = f"{folder}/evaluation.json"
    data = bytearray(kfp_cluster.read(cluster.gcs, victim))
    data[len(data) // 2] ^= 1
    kfp_cluster.put(cluster.gcs, victim, bytes(data))
    other = launched(cluster, config_path, tmp_path / "launch", "other")
    cluster.complete(other)
    command = ["sync", "--engine", "kubeflow", "--host", cluster.kfp.url, "--store"]
    assert main([*command, str(tmp_path / "store")]) == 2
    said = capsys.readouterr().err
    assert "evaluate-student" in said
    assert "its report has the digest" in said
    assert len(list_runs(open_store(str(tmp_path / "store")))) == 1
    data[len(data) // 2] ^= 1
    kfp_cluster.put(cluster.gcs, victim, bytes(data))
    assert main([*command, str(tmp_path / "store"), "--json"]) == 0
    states = [run["state"] for run in json.loads(capsys.readouterr().out)["runs"]]
    assert states == ["imported", "here already"]


@pytest.mark.parametrize("step", ["publish", "train", "convert-teacher"])
def test_a_missing_statement_is_said(
    cluster: Cluster, finished: str, tmp_path: Path, step: str
) -> None:
    kfp_cluster.remove(cluster.gcs, cluster.statement(finished, step))
    (one,) = bring(cluster, tmp_path / "store")
    assert one.state == "damaged"
    assert one.error
    assert step in one.error.what
    assert "statement" in one.error.what
    assert list_runs(open_store(str(tmp_path / "store"))) == []


def test_a_statement_that_lies_about_its_inputs_is_found_out(
    cluster: Cluster, finished: str, tmp_path: Path
) -> None:
    place = cluster.statement(finished, "train")
    statement = json.loads(kfp_cluster.read(cluster.gcs, place))
    statement["outputs"]["model"]["digest"] = "0" * 64
    kfp_cluster.put(cluster.gcs, place, json.dumps(statement).encode())
    (one,) = bring(cluster, tmp_path / "store")
    assert one.state == "damaged"
    assert one.error
    assert "and train says that it made 000" in one.error.what


def test_a_statement_that_lacks_a_key_keeps_its_run_away_and_says_so(
    cluster: Cluster, finished: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = cluster.statement(finished, "train")
    whole = kfp_cluster.read(cluster.gcs, place)
    statement = json.loads(whole)
    del statement["wall_s"]
    kfp_cluster.put(cluster.gcs, place, json.dumps(statement).encode())
    command = ["sync", "--engine", "kubeflow", "--host", cluster.kfp.url]
    assert main([*command, "--store", str(tmp_path / "store")]) == 2
    said = capsys.readouterr().err
    assert "train" in said
    assert "is no statement of train: wall_s: Field required" in said
    assert "fix: look into gs://kubeflow/pipelines" in said
    kfp_cluster.put(cluster.gcs, place, whole)
    assert main([*command, "--store", str(tmp_path / "store")]) == 0


def test_a_root_of_an_earlier_version_is_imported_the_same(
    cluster: Cluster, config_path: Path, finished: str, tmp_path: Path
) -> None:
    """There each output was an artifact, and the statement another one."""
    cluster.earlier = True
    older = launched(cluster, config_path, tmp_path / "launch", "older")
    cluster.complete(older)
    names = kfp_cluster.names(cluster.gcs, f"{kfp_cluster.ROOT}/tiny/{older}/train/")
    assert {name.split("/")[8] for name in names} == {"model", "report", "statement"}
    names = kfp_cluster.names(cluster.gcs, f"{kfp_cluster.ROOT}/tiny/{finished}/train/")
    assert {name.split("/")[8] for name in names} == {"model"}
    # It had no report page either.
    kfp_cluster.remove(cluster.gcs, cluster.address(older, "publish", "report"))
    place = cluster.statement(older, "publish")
    statement = json.loads(kfp_cluster.read(cluster.gcs, place))
    del statement["outputs"]["report"]
    kfp_cluster.put(cluster.gcs, place, json.dumps({**statement, "code": "0" * 64}).encode())
    first, second = bring(cluster, tmp_path / "store")
    store = open_store(str(tmp_path / "store"))
    assert (first.state, second.state) == ("imported", "imported")
    newer, old = (read_run(store, one.run).steps for one in (first, second))
    assert newer["publish"]["outputs"].keys() - old["publish"]["outputs"].keys() == {"report"}
    del newer["publish"]["outputs"]["report"]
    assert {n: s["outputs"] for n, s in newer.items()} == {n: s["outputs"] for n, s in old.items()}
    assert verify_store(store)[1] == []
    assert main(["show", second.run, "--store", str(tmp_path / "store")]) == 0


def test_an_output_too_deep_to_be_an_artifact_is_found_out(
    cluster: Cluster, finished: str, tmp_path: Path
) -> None:
    place = f"{cluster.address(finished, 'publish', 'release')}/{'d/' * 100}file"
    kfp_cluster.put(cluster.gcs, place, b"deep")
    (one,) = bring(cluster, tmp_path / "store")
    assert one.state == "damaged"
    assert one.error
    assert "publish" in one.error.what
    assert "lies deeper than the 64 levels of an artifact" in one.error.what


def test_an_interrupted_sync_is_gone_on_with(
    cluster: Cluster, finished: str, tmp_path: Path
) -> None:
    command = [
        *(sys.executable, "-m", "pipelines.cli", "sync", "--engine", "kubeflow"),
        *("--host", cluster.kfp.url, "--store", str(tmp_path / "store")),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    steps = tmp_path / "store" / "runs"
    while not list(steps.glob("*/steps/*.json")):
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert list_runs(open_store(str(tmp_path / "store"))) == []
    (one,) = bring(cluster, tmp_path / "store")
    assert one.state == "imported"
    bring(cluster, tmp_path / "elsewhere")
    assert everything(tmp_path / "store") == everything(tmp_path / "elsewhere")


def test_two_syncs_at_once_agree(cluster: Cluster, finished: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda _: bring(cluster, tmp_path / "store"), range(2)))
    assert all(one.error is None for result in results for one in result)
    (record,) = list_runs(open_store(str(tmp_path / "store")))
    bring(cluster, tmp_path / "elsewhere")
    assert everything(tmp_path / "store") == everything(tmp_path / "elsewhere")
    assert record.outcome == "done"


def test_runs_of_a_schedule_are_imported_and_of_other_people_stay_away(
    cluster: Cluster, finished: str, tmp_path: Path
) -> None:
    backend = cluster.kfp.backend
    run = backend.runs[finished]
    keys = ("pipeline_version_reference", "runtime_config", "experiment_id")
    recurring = backend.create_recurring(
        {
            **{key: run[key] for key in keys},
            "display_name": "nightly",
            "max_concurrency": "1",
            "trigger": {"cron_schedule": {"cron": "0 30 3 * * *"}},
        }
    )
    fired = backend.fire(recurring["recurring_run_id"], "2026-06-01T03:30:00Z")
    cluster.complete(fired["run_id"])
    text = b"pipelineInfo: {name: other}"
    pipeline = backend.create_pipeline({"name": "other"})
    theirs = backend.upload_version(pipeline["pipeline_id"], "v1", text, {})
    foreign = backend.create_run(
        {
            "display_name": "theirs",
            "experiment_id": run["experiment_id"],
            "pipeline_version_reference": {
                "pipeline_id": pipeline["pipeline_id"],
                "pipeline_version_id": theirs["pipeline_version_id"],
            },
        }
    )
    backend.begin(foreign["run_id"])
    backend.end(foreign["run_id"])
    synced = bring(cluster, tmp_path / "store")
    assert [one.kfp_run for one in synced] == [finished, fired["run_id"]]
    assert {one.state for one in synced} == {"imported"}
    assert len({one.run for one in synced}) == 2


def uploaded(cluster: Cluster, config: Path, folder: Path, *words: str) -> dict[str, str]:
    """Upload what ``slimline compile`` writes, as people do, under a name of theirs."""
    backend, file = cluster.kfp.backend, folder / "pipeline.yaml"
    assert main(["compile", str(config), "-o", str(file), *words]) == 0
    pipeline = backend.create_pipeline({"name": "my first"})["pipeline_id"]
    version = backend.upload_version(pipeline, "my first", file.read_bytes(), {})
    return {"pipeline_id": pipeline, "pipeline_version_id": version["pipeline_version_id"]}


def in_the_ui(cluster: Cluster, reference: dict[str, str], name: str, **more: Any) -> str:
    """Start a run as the user interface does, and carry it out."""
    backend = cluster.kfp.backend
    found = next(iter(backend.experiments.values()), None)
    experiment = found or backend.create_experiment({"display_name": "Default"})
    body = {
        "display_name": name,
        "experiment_id": experiment["experiment_id"],
        "pipeline_version_reference": reference,
        **more,
    }
    run = backend.create_run(body)["run_id"]
    cluster.complete(run)
    return run


def test_a_run_of_an_uploaded_file_comes_home(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    reference = uploaded(cluster, config_path, tmp_path, "--stage")
    run = in_the_ui(cluster, reference, "Run of my first")
    (one,) = bring(cluster, tmp_path / "store")
    assert (one.kfp_run, one.state, one.outcome) == (run, "imported", "done")
    record = read_run(open_store(str(tmp_path / "store")), one.run)
    assert record.name == "tiny"
    assert {step["state"] for step in record.steps.values()} == {"done"}


def test_an_uploaded_file_that_the_root_does_not_know_is_said_and_the_fix_helps(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    reference = uploaded(cluster, config_path, tmp_path)
    in_the_ui(cluster, reference, "Run of my first")
    (one,) = bring(cluster, tmp_path / "store")
    assert one.state == "damaged"
    assert one.error
    assert "uploaded as a file" in one.error.what
    words = one.error.fix.partition(",")[0].split()[1:]
    places = {"CONFIG": str(config_path), "FILE": str(tmp_path / "again.yaml")}
    assert main([places.get(word, word) for word in words]) == 0
    assert [one.state for one in bring(cluster, tmp_path / "store")] == ["imported"]


def test_a_clone_and_a_recurring_run_of_the_user_interface_come_home(
    cluster: Cluster, config_path: Path, finished: str, tmp_path: Path
) -> None:
    backend = cluster.kfp.backend
    first = backend.runs[finished]
    reference = first["pipeline_version_reference"]
    clone = in_the_ui(cluster, reference, f"Clone of {first['display_name']}")
    launch = "tiny-20260102-030405-abcd"
    named = in_the_ui(cluster, reference, launch)
    twin = in_the_ui(cluster, reference, launch)  # people copy names, too
    elsewhere = in_the_ui(
        cluster, reference, "moved", runtime_config={"pipeline_root": f"{kfp_cluster.ROOT}/"}
    )
    recurring = backend.create_recurring(
        {
            "display_name": "by hand",
            "pipeline_version_reference": reference,
            "experiment_id": first["experiment_id"],
            "max_concurrency": "1",
            "runtime_config": {},
            "trigger": {"cron_schedule": {"cron": "0 30 3 * * *"}},
        }
    )
    fired = backend.fire(recurring["recurring_run_id"], "2026-06-01T03:30:00Z")["run_id"]
    cluster.complete(fired)
    synced = {one.kfp_run: one for one in bring(cluster, tmp_path / "store")}
    started = (clone, named, twin, elsewhere, fired)
    assert {run: synced[run].state for run in started} == dict.fromkeys(started, "imported")
    assert synced[named].run == launch
    assert len({one.run for one in synced.values()}) == len(synced)


def test_sync_retries_only_when_it_is_asked_to_and_no_more_often_than_configured(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = kfp_cluster.configured(TINY, tmp_path / "retrying.yaml", retries=1, backoff_s=3600)
    run = launched(cluster, config, tmp_path / "launch")
    cluster.fail(run, "convert-student")
    command = ["sync", "--engine", "kubeflow", "--host", cluster.kfp.url, "--store"]
    assert main([*command, str(tmp_path / "one"), "--retry"]) == 0
    assert "tried again" in capsys.readouterr().err
    assert cluster.kfp.requests["retry_run"] == 1
    assert main([*command, str(tmp_path / "one"), "--retry"]) == 0
    assert "still running" in capsys.readouterr().err
    cluster.fail(run, "convert-student")
    assert main([*command, str(tmp_path / "one"), "--retry"]) == 0
    assert main([*command, str(tmp_path / "two")]) == 0
    assert cluster.kfp.requests["retry_run"] == 1
    for store in ("one", "two"):
        (record,) = list_runs(open_store(str(tmp_path / store)))
        assert record.outcome == "failed"
        assert [one["number"] for one in record.retries] == [1]


def test_what_runs_is_left_and_what_failed_is_imported_as_failed(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    broken = launched(cluster, config_path, tmp_path / "launch", "broken")
    cluster.fail(broken, "convert-student", "Error (exit code 2)")
    going = launched(cluster, config_path, tmp_path / "launch", "going")
    cluster.advance(going)
    failed, running = bring(cluster, tmp_path / "store")
    assert (failed.state, failed.outcome) == ("imported", "failed")
    assert (running.state, running.outcome) == ("still running", None)
    record = read_run(open_store(str(tmp_path / "store")), failed.run)
    assert record.steps["convert-student"]["state"] == "failed"
    assert record.steps["train"]["state"] == "done"
    assert record.steps["publish"]["state"] == "skipped"


def test_sealed_images_are_counted_where_they_were_opened(
    cluster: Cluster, config_path: Path, finished: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    again = launched(cluster, config_path, tmp_path / "launch", "again")
    cluster.complete(again, cached_from=finished)
    bring(cluster, tmp_path / "store")
    assert board(tmp_path / "store", capsys)["sealed"]["times_opened"] == 2


def test_other_engines_have_nothing_to_bring(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "--engine", "kubeflw", "--host", "http://localhost:1"]) == 2
    assert "did you mean 'kubeflow'" in capsys.readouterr().err
