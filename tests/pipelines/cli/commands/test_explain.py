"""`slimline explain`: what would run, and why."""

import json
import shutil

import pytest
import yaml

from pipelines.cli.main import main
from pipelines.config.loading import load
from pipelines.runs.kept.devices_seen import DeviceSeen, put_device
from pipelines.runs.moments import now
from pipelines.stores.opening import open_store
from tests.pipelines.cli.command_line import TINY, slimline, written


def test_what_a_changed_budget_would_run(ran, tmp_path):
    folder, _ = ran
    budgets = {**yaml.safe_load(TINY.read_text())["budgets"], "size_mb": 0.000002}
    path = written(tmp_path / "smaller.yaml", budgets=budgets)
    explained = json.loads(
        slimline("explain", path, "--store", "st", "--json", cwd=folder, check=0).stdout
    )
    states = {item["step"]: item for item in explained["steps"]}
    assert states["train"]["state"] == "cached"
    assert states["select"]["changed"] == ["parameters.size_mb"]
    assert states["publish"]["upstream"] == "select"
    assert explained["warning"] == ""
    asked = {**budgets, "drop": 0.0001}
    path = written(tmp_path / "strict.yaml", budgets=asked)
    printed = slimline("explain", path, "--store", "st", "--json", cwd=folder, check=0).stdout
    assert "images compare the variants; to prove a drop of auc of at most 0.0001" in printed


def test_another_seed_is_another_run_of_everything(ran, tmp_path):
    folder, _ = ran
    path = written(tmp_path / "same.yaml")
    given = ("explain", path, "--store", "st", "--json")
    seeded = json.loads(slimline(*given, "--seed", "5", cwd=folder, check=0).stdout)
    states = {item["step"]: item for item in seeded["steps"]}
    assert states["ingest"]["changed"] == ["parameters.seed"]
    refused = slimline(*given, "--seed", "-1", cwd=folder, check=2).stderr
    assert "greater than or equal to 0" in refused
    assert "write --seed 1" in refused
    slimline(*given, "--seed", "1", cwd=folder, check=0)  # the fix


def test_a_device_counts_as_it_was_when_it_was_seen_last(ran, tmp_path):
    """It is not asked: nobody answers at its address."""
    folder, _ = ran
    shutil.copytree(folder / "st", tmp_path / "st")
    board = {"kind": "ssh", "host": "nowhere.invalid", "name": "board"}
    hosts = yaml.safe_load(TINY.read_text())["devices"]
    path = written(tmp_path / "with-board.yaml", devices=[*hosts, board])
    store = open_store(str(tmp_path / "st"))
    for seen in (False, True):
        if seen:
            put_device(store, DeviceSeen("board", board, now(), "0" * 16, {"cpu": "A76"}))
        given = ("explain", path, "--store", "st", "--json")
        explained = json.loads(slimline(*given, cwd=tmp_path, check=0).stdout)
        states = {item["step"]: item for item in explained["steps"]}
        assert states["benchmark-teacher-host"]["state"] == "cached"
        assert states["benchmark-teacher-board"]["changed"] == ["new"]
        assert states["select"]["upstream"].endswith("-board")


# on a cluster -----------------------------------------------------------------------------------


@pytest.fixture
def in_a_bucket(gcs, tmp_path, monkeypatch):
    """Return what writes the smallest configuration, its data in a bucket, with variants."""
    from pipelines.sources.local import local_files
    from tests.pipelines.engines.kubeflow.graphs import config_of

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    gcs.bucket("data")
    content = local_files(load(TINY).data, "").root.read_bytes()
    gcs.storage.write("data", "digits.csv.gz", content, {}, {})

    def written_with(count):
        variants = {
            f"v{n}": [{"distill": {"backbone": "conv", "alpha": 0.2 + n / 100, "epochs": 1}}]
            for n in range(count)
        }
        place = str(tmp_path / "store")
        config_of(tmp_path, data="gs://data/digits.csv.gz", variants=variants, store=place)
        return str(tmp_path / "config.yaml")

    return written_with


def test_the_version_is_asked_of_the_cluster_and_the_sizes_are_said(in_a_bucket, capsys):
    from tests.servers.kfp.server import KfpServer

    path = in_a_bucket(3)
    with KfpServer(version="2.14.0") as server:
        assert main(["explain", path, "--engine", "kubeflow", "--host", server.url]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "on Kubeflow Pipelines 2.14.0: 21 steps in 44 pods; a Workflow of about" in said
    assert "select is told" in said


def test_without_a_cluster_it_says_which_version_it_assumed(in_a_bucket, capsys):
    words = ["explain", in_a_bucket(25), "--engine", "kubeflow"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "2.5.0 (assumed, as the strictest)" in said.out
    assert "too large for Kubeflow Pipelines 2.5.0, the strictest of all" in said.err
    assert "--kfp VERSION" in said.err
    assert main([*words, "--kfp", "2.17", "--json"]) == 0
    cluster = json.loads(capsys.readouterr().out)["cluster"]
    assert (cluster["kfp"], cluster["known"], cluster["too_large"]) == ("2.17.0", True, "")
    assert cluster["workflow_bytes"] < cluster["workflow_limit"]


def test_what_is_for_a_cluster_is_refused_without_one(in_a_bucket, capsys):
    path = in_a_bucket(1)
    assert main(["explain", path, "--kfp", "2.17"]) == 2
    said = capsys.readouterr().err
    assert "--kfp is for the engine kubeflow" in said
    assert "add --engine kubeflow" in said
    assert main(["explain", path, "--kfp", "2.17", "--engine", "kubeflow"]) == 0
    assert main(["explain", path, "--engine", "kubflow"]) == 2
    assert "did you mean 'kubeflow'" in capsys.readouterr().err
