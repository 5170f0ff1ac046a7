"""Vela: the real program, on files that its accelerators run and on others."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import UserError
from components.devices import vela
from components.devices.vela import estimate_cycles, vela_program
from tests.data.tiny_lite import one_integer_layer, write_lite


@pytest.fixture
def program() -> str:
    try:
        return vela_program()
    except UserError:
        pytest.skip("ethos-u-vela is not installed: pip install 'slimline[vela]'")


def test_an_int8_file_has_cycles_at_a_clock(program: str, tmp_path: Path) -> None:
    cycles: list[int] = []
    for answers in (16, 64):
        weights = np.random.default_rng(0).integers(-127, 127, (answers, 256), np.int8)
        file = tmp_path / "model.tflite"
        file.write_bytes(one_integer_layer(weights, (16, 16, 1)))
        one = estimate_cycles(file, "ethos-u55-32")
        assert one.cycles is not None
        assert one.clock_mhz is not None
        assert one.ms == pytest.approx(one.cycles / one.clock_mhz / 1e3)
        assert (one.accelerated, one.others, one.accelerator) == (1, 0, "ethos-u55-32")
        assert one.sram_bytes is not None
        assert one.sram_bytes >= 256 + answers, "what goes in and comes out"
        assert one.words == (
            f"{one.cycles:,} cycles of ethos-u55-32 at {one.clock_mhz:g} MHz, reckoned by ethos-u-vela "
            f"{one.version}"
        )
        assert "Ethos_U55" in one.system
        cycles.append(one.cycles)
    assert cycles[0] < cycles[1]


def test_a_float_file_has_none(program: str, tmp_path: Path) -> None:
    weights = np.random.default_rng(0).normal(size=(3, 16))
    file = write_lite(tmp_path / "lite", weights, (4, 4, 1)) / "model.tflite"
    found = estimate_cycles(file, "ethos-u55-128")
    assert (found.cycles, found.ms, found.sram_bytes) == (None, None, None)
    assert found.words == "nothing in it runs on the accelerator, which takes int8 files alone"
    assert found.version, "the program says which it is"


def test_a_file_that_it_refuses_says_why(program: str, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no model at all")
    found = estimate_cycles(tmp_path / "model.tflite", "ethos-u55-128")
    assert found.cycles is None
    assert found.why_not.startswith("ethos-u-vela refused it: ")


def test_without_the_program_the_command_that_brings_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vela.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as caught:
        vela_program()
    assert "the package ethos-u-vela, which it needs, is not installed" in caught.value.what
    assert caught.value.fix.endswith("[vela]'")
    (tmp_path / "vela").write_text("#!/bin/sh\n")
    (tmp_path / "vela").chmod(0o755)
    assert vela_program() == str(tmp_path / "vela"), "wherever it is installed"
    assert shutil.which("vela") == str(tmp_path / "vela")
    assert os.access(tmp_path / "vela", os.X_OK)
