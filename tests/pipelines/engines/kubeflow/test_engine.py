"""The kubeflow engine: submitted once, watched, imported; interrupted, it says what goes on."""

from __future__ import annotations

import json
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.contract.errors import UserError
from pipelines.cli.main import main
from pipelines.runs.cache import Cache
from pipelines.runs.leaderboard import leaderboard_of
from pipelines.runs.live.events import StepDone, StepFailed, StepSkipped, StepStarted
from pipelines.runs.records import list_runs, read_run
from pipelines.stores.layout import blob_key
from pipelines.stores.opening import open_store
from tests.pipelines.engines.kubeflow.single_launch import (
    Launch,
    canceling,
    interrupting,
    record_of,
    synced_runs,
)
from tests.servers.kfp import cluster as kfp_cluster
from tests.servers.kfp.cluster import Cluster
from tests.servers.kfp.server import KfpServer

TINY = Path(__file__).parents[3] / "data" / "tiny.yaml"


def test_a_run_ends_as_if_it_had_been_local(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    launched = started()
    assert launched.outcome == "done"
    record = record_of(launched, tmp_path / "store")
    local = read_run(open_store(str(cluster.local.store)), cluster.local.run)
    assert {name: step["outputs"] for name, step in record.steps.items()} == {
        name: step["outputs"] for name, step in local.steps.items()
    }
    store = open_store(str(tmp_path / "store"))
    here = leaderboard_of(Cache(store, tmp_path / "scratch"), record).to_json()
    there = leaderboard_of(
        Cache(open_store(str(cluster.local.store)), tmp_path / "scratch"), local
    ).to_json()
    differing = ("run", "engine", "started", "finished", "wall_s", "config_digest", "sealed")
    for key in here.keys() - set(differing):
        assert (
            here[key] == pytest.approx(there[key])
            if key == "critical_path_s"
            else (here[key] == there[key])
        ), key
    assert here["sealed"] == {**there["sealed"], "times_opened": 1}
    assert (launched.exported / "model.tflite").read_bytes()
    assert launched.page in (record.page or "")
    done = [event.step for event in started.events if isinstance(event, StepDone)]
    begun = [event.step for event in started.events if isinstance(event, StepStarted)]
    assert sorted(done) == sorted(begun) == sorted(cluster.graph.by_name)
    (run,) = cluster.kfp.backend.runs.values()
    assert run["display_name"] == launched.run
    assert run["runtime_config"]["pipeline_root"] == kfp_cluster.ROOT


STAYING = ("train/images.npy", "weights.safetensors")


def test_models_and_data_stay_in_the_bucket(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    launched = Launch(cluster, config_path, tmp_path / "store")()
    store = open_store(str(tmp_path / "store"))
    record = read_run(store, launched.run)
    for step, output in (("ingest", "dataset"), ("train", "model"), ("convert-student", "lite")):
        files = Cache(store, tmp_path).tree(record.steps[step]["outputs"][output]).entries
        stay = [file for file in files if file.path in STAYING]  # the list of files comes
        assert stay or output == "lite"
        assert [store.stat(blob_key(file.sha256)) for file in stay] == [None] * len(stay)
        kept = json.loads(store.get(record.steps[step]["record"]))
        (byproduct,) = kept["predicate"]["runDetails"]["byproducts"]
        assert byproduct["content"]["folder"].startswith(f"{kfp_cluster.ROOT}/tiny/")


def test_the_second_run_takes_what_the_cluster_has(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    first = Launch(cluster, config_path, tmp_path / "store")()
    (before,) = cluster.kfp.backend.runs
    # Another store knows of no earlier run: what is there is the cluster's to say.
    second = Launch(cluster, config_path, tmp_path / "elsewhere", cached_from=before)()
    assert second.outcome == "done"
    assert cluster.kfp.requests["upload_version"] == 1, "one version, uploaded once"
    executed = {name for name, event in second.steps.items() if not event.cached}
    assert executed == {"select", "evaluate-sealed", "publish"}
    one = record_of(first, tmp_path / "store").steps
    two = record_of(second, tmp_path / "elsewhere").steps
    assert {n: s["outputs"] for n, s in one.items()} == {n: s["outputs"] for n, s in two.items()}
    assert {n: s["key"] for n, s in one.items()} == {n: s["key"] for n, s in two.items()}


def test_the_source_is_staged_once_and_whole(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    Launch(cluster, config_path, tmp_path / "store")()
    staged = kfp_cluster.names(cluster.gcs, f"{kfp_cluster.ROOT}/sources/")
    digest = staged[0].split("/")[5]
    assert staged == [
        f"{kfp_cluster.ROOT}/sources/{digest}/files/digits.csv.gz",
        f"{kfp_cluster.ROOT}/sources/{digest}/source.json",
    ]
    assert kfp_cluster.read(cluster.gcs, staged[0]) == kfp_cluster.read(
        cluster.gcs, kfp_cluster.DATA
    )
    uploads = cluster.gcs.requests["upload"]
    (before,) = cluster.kfp.backend.runs
    Launch(cluster, config_path, tmp_path / "elsewhere", cached_from=before)()
    again = kfp_cluster.names(cluster.gcs, f"{kfp_cluster.ROOT}/sources/")
    assert again == staged, "what lies there is not sent again"
    assert cluster.gcs.requests["upload"] <= uploads + 3, "the version, the launch, its part"


@pytest.mark.parametrize("kind", ["lost", "reset", "500", "503", "429"])
def test_one_launch_is_one_run_whatever_becomes_of_the_answer(
    cluster: Cluster, config_path: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.engines.kubeflow.launching.submitting._LOOKS", 1)
    monkeypatch.setattr("pipelines.engines.kubeflow.launching.submitting._WAIT_SHARE", 1000)
    for operation in ("create_run", "upload_version", "create_pipeline", "create_experiment"):
        cluster.kfp.plan(operation, kind)
    launched = Launch(cluster, config_path, tmp_path / "store")()
    assert launched.outcome == "done"
    assert len(cluster.kfp.backend.runs) == 1
    assert len(cluster.kfp.backend.versions) == len(cluster.kfp.backend.pipelines) == 1


def test_a_run_that_comes_through_late_is_terminated(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    backend = cluster.kfp.backend

    def late(operation: str) -> None:
        if operation == "create_run":  # the same order, which a proxy had held back
            (run,) = list(backend.runs.values())
            twin = {key: run[key] for key in ("display_name", "pipeline_version_reference")}
            backend.create_run({**twin, "experiment_id": run["experiment_id"]})
        started.move_on(operation)

    cluster.kfp.after = late
    launched = started()
    assert launched.outcome == "done"
    states = [run["state"] for run in backend.runs.values()]
    assert states == ["SUCCEEDED", "FAILED"], "the younger one is cancelled"


def test_a_run_says_where_the_service_shows_it(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    plain = yaml.safe_load(config_path.read_text())
    plain["kubeflow"]["service"] = "https://slimline.example.com"
    config_path.write_text(yaml.safe_dump(plain, sort_keys=False))
    launched = Launch(cluster, config_path, tmp_path / "store")()
    (run,) = cluster.kfp.backend.runs.values()
    assert run["description"].endswith(f": https://slimline.example.com/runs/{launched.run}")


def test_ctrl_c_leaves_the_run_going_and_sync_imports_it(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    started.on_event = interrupting(started.events, "train")
    launched = started()
    assert launched.outcome == "running"
    (run,) = cluster.kfp.backend.runs.values()
    assert run["state"] == "RUNNING"
    assert cluster.kfp.requests["terminate_run"] == 0
    store = open_store(str(tmp_path / "store"))
    assert read_run(store, launched.run).outcome == "running"
    cluster.kfp.after = lambda _: None
    cluster.complete(run["run_id"])
    synced = synced_runs(cluster, tmp_path / "store")
    assert [(one.run, one.state) for one in synced] == [(launched.run, "imported")]
    assert read_run(store, launched.run).outcome == "done"
    assert len(list_runs(store)) == 1


def test_ctrl_c_ends_the_run_where_that_was_asked_for(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    started.on_event = interrupting(started.events, "train")
    canceling(cluster, started)
    launched = started(cancel_on_interrupt=True)
    assert launched.outcome == "cancelled"
    assert cluster.kfp.requests["terminate_run"] == 1
    assert isinstance(launched.steps["ingest"], StepDone)
    assert isinstance(launched.steps["publish"], StepSkipped)
    assert record_of(launched, tmp_path / "store").outcome == "cancelled"


@pytest.mark.parametrize(
    ("printed", "said", "fix", "user_fault"),
    [
        ("too small\n  fix: a larger one\nexit code 2\n", ": too small", "a larger one", True),
        ("MemoryError: no\nexit code 1\n", "a bug of slimline (exit code 1): Mem", "log", False),
        ("epoch 3 of 9\n", "was killed: it took too much memory", "memory_gb or minutes", True),
    ],
)
def test_a_step_that_fails_is_said_with_what_is_known(
    cluster: Cluster, config_path: Path, tmp_path: Path,
    printed: str, said: str, fix: str, user_fault: bool,
) -> None:  # fmt: skip
    started = Launch(cluster, config_path, tmp_path / "store")
    started.fail("distill-conv-025", printed=printed)
    launched = started()
    assert launched.outcome == "failed"
    failed = launched.steps["distill-conv-025"]
    assert isinstance(failed, StepFailed)
    assert said in failed.what
    assert fix in failed.fix
    assert failed.user_fault == user_fault
    assert isinstance(launched.steps["train"], StepDone)
    assert isinstance(launched.steps["publish"], StepSkipped)


def test_a_driver_that_fails_is_no_cancellation(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    started.fail("distill-conv-025", where="driver")
    launched = started()
    assert launched.outcome == "failed"
    failed = launched.steps["distill-conv-025"]
    assert isinstance(failed, StepFailed)
    assert "could not start, because its driver (distill-conv-025-driver) failed" in failed.what
    assert record_of(launched, tmp_path / "store").outcome == "failed"


def test_a_lost_server_does_not_lose_the_run(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")
    started.on_event = lambda _: cluster.kfp.always("get_run", "401")
    with pytest.raises(UserError, match="the run goes on in the cluster") as caught:
        started()
    assert "slimline sync --engine kubeflow" in caught.value.fix


def test_what_pods_cannot_reach_is_refused_before_anything_is_sent(
    cluster: Cluster, config_path: Path, tmp_path: Path
) -> None:
    local = config_path.read_text().replace(kfp_cluster.DATA, str(tmp_path))
    config_path.write_text(local)
    with pytest.raises(UserError, match="is on this machine") as caught:
        Launch(cluster, config_path, tmp_path / "store")()
    assert "gcloud storage cp" in caught.value.fix
    assert not cluster.kfp.requests


# the command line -------------------------------------------------------------------------------


def command(config: Path, store: Path, url: str, *words: str) -> list[str]:
    place = ["--engine", "kubeflow", "--host", url, "--store", str(store)]
    return ["run", str(config), *place, "--output", str(store.parent / "out"), *words]


def test_the_command_ends_with_the_board_of_the_run(
    cluster: Cluster, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Launch(cluster, config_path, tmp_path / "store")  # moves the cluster on
    code = main([*command(config_path, tmp_path / "store", cluster.kfp.url), "--json"])
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["engine"] == "kubeflow"
    assert document["outcome"] == "done"
    assert code == (0 if document["winner"] else 3)
    assert "done     publish" in captured.err


def test_the_command_says_how_to_follow_what_continues(
    cluster: Cluster,
    config_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = Launch(cluster, config_path, tmp_path / "store")

    def after(operation: str) -> None:
        started.move_on(operation)
        if operation == "get_run":
            os.kill(os.getpid(), signal.SIGINT)

    cluster.kfp.after = after
    assert main(command(config_path, tmp_path / "store", cluster.kfp.url)) == 130
    said = capsys.readouterr().err
    (run,) = cluster.kfp.backend.runs
    assert f"the run goes on in the cluster: {cluster.kfp.url}/#/runs/details/{run}" in said
    line = next(line for line in said.splitlines() if line.startswith("when it has ended: "))
    cluster.kfp.after = lambda _: None
    cluster.complete(run)
    assert main(shlex.split(line.removeprefix("when it has ended: slimline "))) == 0
    assert "1 of 1 runs imported" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "401"}, "does not know who asks"),
        ({"kind": "403"}, "does not know who asks (no token was sent)"),
        ({"api": "v1beta1"}, "not as the API v2beta1"),
        ({"namespaces": ["team"]}, "nothing says whose namespace"),
    ],
)
def test_faults_of_the_server_end_the_command_with_code_2(
    cluster: Cluster,
    config_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fault: dict[str, Any],
    said: str,
) -> None:
    if "kind" in fault:
        cluster.kfp.always("*", fault["kind"])
        code = main(command(config_path, tmp_path / "store", cluster.kfp.url))
    else:
        with KfpServer(**fault) as other:
            code = main(command(config_path, tmp_path / "store", other.url))
    captured = capsys.readouterr()
    assert code == 2
    assert said in captured.err
    assert "fix: " in captured.err
    assert "Traceback" not in captured.err
    assert not list(open_store(str(tmp_path / "store")).list("runs/"))


def test_a_quota_that_is_exhausted_is_said(
    cluster: Cluster,
    config_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.engines.kubeflow.launching.submitting._WAIT_SHARE", 1000)
    cluster.kfp.always("create_run", "429")
    assert main(command(config_path, tmp_path / "store", cluster.kfp.url)) == 2
    said = capsys.readouterr().err
    assert "did not confirm the run" in said
    assert "a quota is exhausted" in said


@pytest.mark.parametrize("words", [("--host", "http://h"), ("--cancel-on-interrupt",)])
def test_options_of_a_cluster_need_the_engine(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(TINY), *words]) == 2
    assert "is for the engine kubeflow" in capsys.readouterr().err


def test_measuring_again_is_not_for_a_cluster(
    cluster: Cluster, config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = command(config_path, tmp_path / "store", cluster.kfp.url, "--remeasure")
    assert main(words) == 2
    assert "cache: false" in capsys.readouterr().err
