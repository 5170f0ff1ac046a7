"""`slimline doctor`: what it finds, without touching anything."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.pipelines.cli.command_line import slimline


def test_doctor(tmp_path: Path) -> None:
    done = slimline("doctor", "--json", "--store", tmp_path / "new" / "store", check=0)
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert {"python", "train", "device", "memory", "disk", "store", "cache"} <= findings.keys()
    assert "tensorflow 2." in findings["train"]["text"]
    assert not (tmp_path / "new").exists(), "doctor only looks"


def test_doctor_says_nothing_of_a_bucket_that_it_has_not_seen() -> None:
    done = slimline("doctor", "--store", "gs://bucket/x", check=0)
    assert "note   store      gs://bucket/x is not on this machine" in done.stdout


def test_doctor_finds_a_store_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = slimline("doctor", "--store", tmp_path / "file" / "store", check=2)
    assert "lacks  store" in done.stdout
    assert "--store" in done.stdout


def test_doctor_says_how_large_the_cache_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cache = tmp_path / ".cache" / "slimline"
    cache.mkdir(parents=True)
    (cache / "limit_gib").write_text("much")
    done = slimline("doctor", "--json", check=2)
    (finding,) = (f for f in json.loads(done.stdout)["findings"] if f["name"] == "cache")
    assert finding["state"] == "lacks"
    assert "'much'" in finding["text"]
    subprocess.run(finding["fix"], shell=True, check=True)
    assert f"of at most 20 GiB of downloads in {cache}" in slimline("doctor", check=0).stdout
