"""`slimline explain`: what would run, and why."""

import json

import yaml

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
