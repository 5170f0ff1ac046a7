"""A release with a file for each device: what wins there, equal ones once, and who has none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from components.artifacts.firmware import array_in
from components.artifacts.lite_model import LiteModelInfo
from components.artifacts.microcontroller import MicroReport, write_firmware
from components.artifacts.released_files import release_faults
from components.contract.digests import file_sha256
from components.contract.errors import UserError
from tests.components.flat import publish, select
from tests.data.variants import Variant, write_benchmark, write_evaluation, write_lite

TEACHER = Variant("teacher", noise=0.5, size_bytes=90_000, p50_ms=9.0)
SMALL = Variant("small", noise=0.52, size_bytes=9_000)
WIDE = Variant("wide", noise=0.51, size_bytes=30_000)
NOISE = {"small": 0.53, "wide": 0.52}


@dataclass(frozen=True)
class Board:
    """Times of each variant on each device, in milliseconds, with what microcontrollers wrote."""

    root: Path
    times: Mapping[str, Mapping[str, float]]
    micro: Mapping[str, str] | None = None

    def released(self, **changes: Any) -> dict[str, Any]:
        """Choose on each device, look at the sealed images, publish; return the manifest."""
        root, variants = self.root, (TEACHER, SMALL, WIDE)
        for one in variants:
            info = write_lite(root / one.name / "lite", one)
            write_evaluation(root / one.name / "evaluation", one)
            sealed = replace(one, noise=NOISE.get(one.name, one.noise))
            write_evaluation(root / one.name / "sealed", sealed, split="sealed")
            for device, times in self.times.items():
                timed = replace(one, p50_ms=times.get(one.name, one.p50_ms))
                write_benchmark(root / one.name / device, timed, info, device=device)
            for device, unshared in (self.micro or {}).items():
                put_firmware(root / one.name, device, info, unshared)
        for device in self.times:
            self._select(device, [one.name for one in variants], **changes)
        devices = list(self.times)
        publish(
            [root / device / "winner" for device in devices],
            [root / device / "decision" for device in devices],
            [root / device / "sealed" for device in devices],
            root / "teacher" / "sealed",
            root / "release", root / "card.html", root / "report.html",
            name="faces", metric="auc", drop=changes.get("drop", 0.05), resamples=50,
            devices=devices,
        )  # fmt: skip
        path = root / "release" / "manifest.json"
        return json.loads(path.read_bytes()) if path.is_file() else {}

    def _select(self, device: str, names: list[str], **changes: Any) -> None:
        root = self.root
        select(
            models=[root / name / "lite" for name in names],
            evaluations=[root / name / "evaluation" for name in names],
            benchmarks=[root / name / device for name in names],
            data=None, reference=None, search=None, names=names, devices=[device],
            decision=root / device / "decision", winner=root / device / "winner",
            winner_evaluation=root / device / "evaluation", page=root / device / "page.html",
            metrics=root / device / "metrics.json", candidates=["small", "wide"],
            task="verification", metric="auc", resamples=50,
            **{"drop": 0.05, "latency_ms": 2.0, "minimize": "latency", **changes},
        )  # fmt: skip
        winner = json.loads((root / device / "decision/decision.json").read_bytes())["winner"]
        shutil.copytree(root / (winner or "teacher") / "sealed", root / device / "sealed")


def put_firmware(folder: Path, device: str, info: LiteModelInfo, unshared: str) -> None:
    """Write beside a measurement what benchmark_microcontroller writes."""
    content = (folder / "lite/model.tflite").read_bytes()
    held = content[::-1] if unshared else content
    write_firmware(folder / device / "firmware", held, info.sha256, 4_096, ["CONV_2D"])
    MicroReport(
        info.sha256, 4_096, 3_000, 1_096, len(held), ("CONV_2D",), (), unshared, None, "", "1.0"
    ).write(folder / device)


def files(root: Path) -> dict[str, str]:
    return {path.name: file_sha256(path) for path in (root / "release").iterdir()}


def test_each_device_gets_the_file_that_won_there(tmp_path):
    times = {"board": {"small": 0.2, "wide": 0.9}, "s21": {"small": 0.8, "wide": 0.3}}
    manifest = Board(tmp_path, times).released()
    first, second = manifest["files"]
    assert (first["variant"], first["devices"], first["file"]) == (
        "small",
        ["board"],
        "model.tflite",
    )
    assert (second["variant"], second["devices"]) == ("wide", ["s21"])
    assert second["file"] == "model-s21.tflite"
    assert list(first["selection"]["p50_ms"]) == ["board"]
    written = files(tmp_path)
    assert written["model.tflite"] == first["sha256"] == manifest["sha256"]
    assert written["model-s21.tflite"] == second["sha256"]
    assert second["input"] == first["input"] == manifest["input"]
    assert manifest["variant"] == "small"
    assert manifest["qualified"] is first["qualified"] is second["qualified"] is True
    assert "devices_without_file" not in manifest
    assert not list(faults(tmp_path, manifest))


def test_one_file_that_does_not_qualify_disqualifies_the_release(tmp_path, monkeypatch):
    monkeypatch.setitem(NOISE, "wide", 2.5)
    times = {"board": {"small": 0.2, "wide": 0.9}, "s21": {"small": 0.8, "wide": 0.3}}
    manifest = Board(tmp_path, times).released()
    first, second = manifest["files"]
    assert (first["qualified"], second["qualified"], manifest["qualified"]) == (True, False, False)
    assert any(
        reason.startswith("s21: on the sealed images: drop") for reason in manifest["reasons"]
    )
    report = (tmp_path / "report.html").read_text()
    assert '<body class="unqualified">' in report
    assert "model-s21.tflite" in report
    assert (tmp_path / "release/card.md").read_text().count("# faces: small, wide") == 1


def test_equal_winners_are_one_file(tmp_path):
    times = {
        "board": {"small": 0.2, "wide": 0.9},
        "s21": {"small": 0.8, "wide": 0.3},
        "tablet": {"small": 0.4, "wide": 0.9},
    }
    manifest = Board(tmp_path, times).released()
    assert [file["devices"] for file in manifest["files"]] == [["board", "tablet"], ["s21"]]
    assert list(manifest["files"][0]["selection"]["p50_ms"]) == ["board", "tablet"]
    assert sorted(name for name in files(tmp_path) if name.endswith(".tflite")) == [
        "model-s21.tflite", "model.tflite",
    ]  # fmt: skip
    told = " ".join(unescape((tmp_path / "report.html").read_text()).split())
    assert "board: the fastest that keeps every budget: p50 up to 204 µs" in told
    assert "board: board:" not in told


def test_a_device_without_a_winner_is_named_with_the_reason(tmp_path):
    times = {"board": {"small": 7.0, "wide": 8.0}, "s21": {"small": 0.2, "wide": 0.9}}
    manifest = Board(tmp_path, times).released()
    assert [(file["devices"], file["file"]) for file in manifest["files"]] == [
        (["s21"], "model.tflite")
    ]
    reason = manifest["devices_without_file"]["board"]
    assert reason.startswith("none of 2 candidates keeps every budget")
    assert f"board has no file: {reason}" in manifest["reasons"]
    assert manifest["qualified"]
    for name in ("release/card.md", "report.html"):
        assert "no file: none of 2 candidates" in (tmp_path / name).read_text()


def test_where_nothing_wins_anywhere_the_release_is_empty(tmp_path):
    times = {"board": {"small": 7.0, "wide": 8.0}, "s21": {"small": 9.0, "wide": 9.0}}
    assert Board(tmp_path, times).released() == {}
    assert [path.name for path in (tmp_path / "release").iterdir()] == ["none.json"]
    told = json.loads((tmp_path / "release/none.json").read_bytes())
    assert told["reason"].startswith("board: none of 2 candidates")
    assert "; s21: none of 2 candidates" in told["reason"]
    assert {miss["reason"].partition(":")[0] for miss in told["near_misses"]} == {"board", "s21"}


def test_lists_that_do_not_fit_are_refused(tmp_path):
    times = {"board": {"small": 0.2, "wide": 0.9}, "s21": {"small": 0.8, "wide": 0.3}}
    Board(tmp_path, times).released()
    given = [tmp_path / "board" / name for name in ("winner", "decision", "sealed")]
    rest = (tmp_path / "teacher/sealed", tmp_path / "r", tmp_path / "p", tmp_path / "q")
    with pytest.raises(UserError, match="1 winners, 1 decisions and 1 sealed reports are given"):
        publish(
            *([one] for one in given), *rest,
            name="faces", metric="auc", drop=0.05, devices=["board", "s21"],
        )  # fmt: skip
    publish(*([one] for one in given), *rest, name="faces", metric="auc", drop=0.05)
    assert "files" not in json.loads((tmp_path / "r/manifest.json").read_bytes())


def test_the_c_files_of_a_microcontroller_are_in_the_release(tmp_path):
    times = {"board": {"small": 0.9, "wide": 0.2}, "mcu": {"small": 0.2, "wide": 0.9}}
    manifest = Board(tmp_path, times, {"mcu": ""}).released()
    assert "firmware" not in manifest["files"][0]
    (firmware,) = manifest["files"][1]["firmware"]
    assert firmware["device"] == "mcu"
    assert firmware["model_sha256"] == manifest["files"][1]["sha256"]
    assert firmware["arena_bytes"] == 4_096
    held = array_in((tmp_path / "release/model_data.c").read_bytes())
    assert held == (tmp_path / "release/model-mcu.tflite").read_bytes()
    assert firmware["sha256"] == {
        name: files(tmp_path)[name] for name in ("model_data.c", "model_data.h")
    }
    assert "model_data.c, model_data.h" in (tmp_path / "release/card.md").read_text()


def test_two_microcontrollers_with_other_models_have_files_of_their_own(tmp_path):
    times = {"mcu": {"small": 0.2, "wide": 0.9}, "big-mcu": {"small": 0.9, "wide": 0.2}}
    manifest = Board(tmp_path, times, {"mcu": "", "big-mcu": ""}).released()
    (second,) = manifest["files"][1]["firmware"]
    assert (second["source"], second["header"]) == ("model_data-big-mcu.c", "model_data-big-mcu.h")
    source = (tmp_path / "release/model_data-big-mcu.c").read_bytes()
    assert source.startswith(b'#include "model_data-big-mcu.h"')
    assert array_in(source) == (tmp_path / "release/model-big-mcu.tflite").read_bytes()
    assert not list(faults(tmp_path, manifest))


def test_c_files_of_a_file_that_had_to_be_unpacked_say_so(tmp_path):
    times = {"board": {"small": 0.9, "wide": 0.2}, "mcu": {"small": 0.2, "wide": 0.9}}
    manifest = Board(tmp_path, times, {"mcu": "the repacked file is refused"}).released()
    (firmware,) = manifest["files"][1]["firmware"]
    assert firmware["unshared"] == "the repacked file is refused"
    assert firmware["model_sha256"] != manifest["files"][1]["sha256"]
    assert not list(faults(tmp_path, manifest))


@pytest.mark.parametrize("change", ["another byte", "one less", "a remark"])
def test_c_files_that_do_not_hold_the_model_are_refused(tmp_path, monkeypatch, change):
    changes = {
        "another byte": lambda text: text.replace("0x", "0xf", 1).replace("0xf", "0x0", 1),
        "one less": lambda text: text.replace(",\n};", "\n};", 1).rpartition(" 0x")[0] + "\n};\n",
        "a remark": lambda text: text.replace("{\n", "{\n    // half of it\n", 1),
    }
    write = write_firmware

    def damaged(folder: Path, content: bytes, *rest: Any) -> None:
        write(folder, content, *rest)
        source = folder / "model_data.c"
        before = source.read_text()
        source.write_text(changes[change](before))
        assert source.read_text() != before

    monkeypatch.setattr("tests.components.release.test_writing.write_firmware", damaged)
    times = {"board": {"small": 0.9, "wide": 0.2}, "mcu": {"small": 0.2, "wide": 0.9}}
    with pytest.raises(UserError, match="mcu") as refused:
        Board(tmp_path / "first", times, {"mcu": ""}).released()
    assert refused.value.fix == "run benchmark_microcontroller again"
    monkeypatch.undo()
    assert Board(tmp_path / "again", times, {"mcu": ""}).released()["files"]


def faults(root: Path, manifest: dict[str, Any]) -> list[str]:
    return list(
        release_faults(manifest, files(root), lambda name: (root / "release" / name).read_bytes())
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model-mcu.tflite", "has a manifest.json that does not describe its model-mcu.tflite"),
        ("model_data.c", "has a model_data.c that its manifest does not describe"),
        ("model_data.h", "has a model_data.h that its manifest does not describe"),
    ],
)
def test_any_file_that_is_not_as_the_manifest_says_is_a_fault(tmp_path, name, said):
    times = {"board": {"small": 0.9, "wide": 0.2}, "mcu": {"small": 0.2, "wide": 0.9}}
    manifest = Board(tmp_path, times, {"mcu": ""}).released()
    assert faults(tmp_path, manifest) == []
    path = tmp_path / "release" / name
    path.write_bytes(path.read_bytes().replace(b"0", b"1"))
    assert said in faults(tmp_path, manifest)
    path.unlink()
    assert faults(tmp_path, manifest)
    (tmp_path / "release/other.tflite").write_bytes(b"x")
    assert "has a other.tflite that its manifest.json does not describe" in faults(
        tmp_path, manifest
    )
