"""A run with a file for each device: published, promoted, rolled back, proved, bundled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from components.artifacts.firmware import array_in
from components.contract.digests import file_sha256
from pipelines.stores.layout import blob_key
from tests.pipelines.cli.command_line import slimline, written

VARIANTS = {
    "int8": [{"quantize": {"scheme": "int8"}}],
    "half": [{"quantize": {"scheme": "float16"}}],
}
DEVICES = [{"kind": "results", "file": "phone.json", "name": "phone"}, "microcontroller"]


def measure(folder: Path, times: Mapping[str, float]) -> None:
    """Write what somebody measured on a phone, by the sha256 of the model's file."""
    rows = [
        {
            "model_sha256": sha256, "device": "phone", "made_by": "app 1.0",
            "samples_ms": [round(ms + 0.001 * number, 4) for number in range(100)],
        }
        for sha256, ms in times.items()
        for _ in range(3)
    ]  # fmt: skip
    (folder / "phone.json").write_text(json.dumps({"measurements": rows}))


def document(*arguments: str, cwd: Path) -> Any:
    return json.loads(slimline(*arguments, "--json", cwd=cwd).stdout)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two runs: before anything is known of the phone, and after it was measured."""
    folder = tmp_path_factory.mktemp("device-files")
    written(
        folder / "tiny.yaml", variants=VARIANTS, devices=DEVICES, select={"per": "device"},
        minimize="latency", store="./slimline-store",
    )  # fmt: skip
    measure(folder, {"0" * 64: 1.0})
    first = document("run", "tiny.yaml", cwd=folder)
    sha256 = {row["name"]: row["sha256"] for row in first["variants"]}
    measure(folder, {sha256["int8"]: 4.0, sha256["half"]: 1.0})
    second = document("run", "tiny.yaml", cwd=folder)
    return folder, first, second


def test_a_device_that_nothing_is_known_of_has_no_file(runs: Any) -> None:
    _, first, _ = runs
    phone, micro = first["files"]
    if phone["device"] != "phone":
        phone, micro = micro, phone
    assert (phone["winner"], phone["file"], phone["qualified"]) == (None, None, None)
    assert "not measured on phone" in phone["reason"]
    assert (micro["winner"], micro["file"]) == ("int8", "model.tflite")
    assert first["winner"] == "int8"


def test_each_device_finds_its_file_in_the_folder(runs: Any) -> None:
    folder, _, second = runs
    release = folder / "slimline-out/tiny"
    manifest = json.loads((release / "manifest.json").read_bytes())
    assert [(one["devices"], one["file"], one["variant"]) for one in manifest["files"]] == [
        (["phone"], "model.tflite", "half"),
        (["microcontroller"], "model-microcontroller.tflite", "int8"),
    ]
    for one in manifest["files"]:
        assert file_sha256(release / one["file"]) == one["sha256"]
    (firmware,) = manifest["files"][1]["firmware"]
    held = array_in((release / firmware["source"]).read_bytes())
    assert held == (release / "model-microcontroller.tflite").read_bytes()
    assert [(one["device"], one["winner"], one["file"]) for one in second["files"]] == [
        ("phone", "half", "model.tflite"),
        ("microcontroller", "int8", "model-microcontroller.tflite"),
    ]
    shown = slimline("show", cwd=folder, check=0).stdout
    assert "microcontroller: int8 (model-microcontroller.tflite)" in shown
    assert "winner: half. phone: half is the fastest" in shown


def test_what_ran_before_runs_again_for_no_device(runs: Any) -> None:
    """New measurements of the phone: models, evaluations and the other device stay as they are."""
    _, _, second = runs
    ran = {name for name, state in second["states"].items() if state == "done"}
    assert ran == {
        "benchmark-teacher-phone", "benchmark-int8-phone", "benchmark-half-phone",
        "select-phone", "evaluate-sealed-phone", "publish",
    }  # fmt: skip


def test_promoted_and_rolled_back_each_device_still_finds_its_file(runs: Any) -> None:
    folder, first, second = runs
    champion = folder / "slimline-store/releases/tiny/champion.json"

    def taken() -> dict[str, Any]:
        files = json.loads(champion.read_bytes())["files"]
        return {one["path"]: one["devices"] for one in files if one["devices"] != "all"}

    slimline("promote", first["run"], "--force", "the first", cwd=folder, check=0)
    micro = ["microcontroller"]
    c_files = {"model_data.c": micro, "model_data.h": micro}
    assert taken() == {"model.tflite": micro, **c_files}
    slimline("promote", second["run"], "--force", "a test", cwd=folder, check=0)
    both = {"model.tflite": ["phone"], "model-microcontroller.tflite": micro, **c_files}
    assert taken() == both
    slimline("rollback", "tiny", "--reason", "a test", cwd=folder, check=0)
    assert taken() == {"model.tflite": micro, **c_files}
    listed = slimline("releases", "tiny", cwd=folder, check=0).stdout
    assert "half, int8" in listed


def test_a_bundle_of_it_is_proved_without_a_store(runs: Any, tmp_path: Path) -> None:
    folder, _, second = runs
    slimline(
        "export", second["run"], "--format", "bundle", "--output", tmp_path, cwd=folder, check=0
    )
    (bundle,) = tmp_path.glob("*.zip")
    said = slimline("verify", bundle, cwd=tmp_path, check=0).stdout
    assert "release tiny" in said
    assert "none not as they should be" in said


def test_a_changed_second_file_is_found(runs: Any) -> None:
    folder, _, second = runs
    blobs = {
        name: folder / "slimline-store" / blob_key(file_sha256(folder / "slimline-out/tiny" / name))
        for name in ("model-microcontroller.tflite", "model_data.c")
    }
    before = {name: blob.read_bytes() for name, blob in blobs.items()}
    try:
        for blob in blobs.values():
            blob.chmod(0o644)
            blob.write_bytes(blob.read_bytes().replace(b"0", b"1", 1))
        found = slimline("verify", "--deep", second["run"], cwd=folder, check=4)
        for blob in blobs.values():
            assert blob.name in found.stdout + found.stderr
        refused = slimline("promote", second["run"], "--force", "a test", cwd=folder, check=2)
        assert "model-microcontroller.tflite is damaged" in refused.stderr
    finally:
        for name, blob in blobs.items():
            blob.write_bytes(before[name])
    slimline("verify", "--deep", second["run"], cwd=folder, check=0)
