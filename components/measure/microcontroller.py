"""On a microcontroller: whether a model runs there, in how much memory, with which answers.

Shapes: n images, h rows, w columns, c channels, d numbers of an answer.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.artifacts.lite_model import MODEL_FILE, LiteModelInfo
from components.artifacts.measurement import Attempt, Crash, MeasuredDevice, Measurement
from components.artifacts.microcontroller import MicroParity, MicroReport, write_firmware
from components.contract.errors import UserError
from components.devices.isolated import answers_of
from components.devices.microcontroller import (
    PACKAGE,
    MicroOperators,
    MicroRun,
    micro_operators,
    micro_version,
    run_micro,
    write_unshared,
)
from components.statistics.quantities import decimal

COARSE = 2
"""Pixels of every second synthetic image come in squares of so many, as those of photographs do."""


@dataclass(frozen=True)
class _Ran:
    """A file that was tried, and what came of it; ``unshared`` says why it is not convert's own."""

    content: bytes
    found: MicroRun | Crash
    unshared: str


def measured_on_microcontroller(
    model: Path, report: Path, device: str, *, images: int, seed: int
) -> Measurement:
    """Run a LiteModel in TensorFlow Lite Micro, and write what its firmware needs.

    Args:
        model: Its folder.
        report: Folder of ``microcontroller.json``; ``firmware/`` below it holds the C files of a
            model that runs.
        device: Name of the device in the configuration.
        images: How many synthetic ones to compare on.
        seed: Of those.

    Raises:
        UserError: TensorFlow Lite Micro is not installed.
    """
    info, version = LiteModelInfo.read(model), micro_version()
    images_nhwc = synthetic(info, images, seed)
    values = np.array([info.input.value(pixel) for pixel in range(256)])
    tensors_nhwc = values.astype(info.input.dtype)[images_nhwc]
    operators = micro_operators(model / MODEL_FILE)
    ran = _run(model / MODEL_FILE, tensors_nhwc, operators)
    found = ran.found if isinstance(ran.found, MicroRun) else None
    parity = _parity(model, info, images_nhwc, found) if found else None
    told = MicroReport(
        model_sha256=info.sha256,
        arena_bytes=found and found.arena_bytes,
        activation_bytes=found and found.activation_bytes,
        persistent_bytes=found and found.persistent_bytes,
        flash_bytes=len(ran.content) if found else None,
        operators=operators.used if isinstance(operators, MicroOperators) else (),
        lacking=operators.lacking if isinstance(operators, MicroOperators) else (),
        unshared=ran.unshared,
        parity=parity,
        refused=ran.found.cause if isinstance(ran.found, Crash) else "",
        runtime=version,
    )
    told.write(report)
    if found:
        write_firmware(
            report / "firmware", ran.content, info.sha256, found.arena_bytes, told.operators
        )
    return Measurement(
        device=MeasuredDevice(
            device, {"runtime": f"{PACKAGE} {version}", "kernels": "reference"},
            kind="microcontroller",
        ),
        threads=1,
        model_sha256=info.sha256,
        size_bytes=info.size_bytes,
        gzip_bytes=info.gzip_bytes,
        runtime={"name": PACKAGE, "version": version, "source": "wheel", "sha256": ""},
        processes=(),
        attempts=(_attempt(told, ran.found),),
        crashed=ran.found if isinstance(ran.found, Crash) else None,
        summary=None,
        arena_bytes=told.arena_bytes,
        flash_bytes=told.flash_bytes,
    )  # fmt: skip


def synthetic(info: LiteModelInfo, images: int, seed: int) -> NDArray[np.uint8]:
    """Return images of noise, every second one in coarse squares, n x h x w x c."""
    random, size = np.random.default_rng(seed), info.input
    shape = (images, size.height, size.width, size.channels)
    fine = random.integers(0, 256, shape, np.uint8)
    squares = fine[:, ::COARSE, ::COARSE].repeat(COARSE, axis=1).repeat(COARSE, axis=2)
    fine[1::2] = squares[1::2, : size.height, : size.width]
    return fine


def _run(file: Path, tensors_nhwc: NDArray[Any], operators: MicroOperators | Crash) -> _Ran:
    """Run the file that convert wrote; where it is refused, the same without repack."""
    content, found = file.read_bytes(), run_micro(file, tensors_nhwc)
    if isinstance(found, MicroRun) or found.outside:
        return _Ran(content, found, "")
    if isinstance(operators, MicroOperators) and operators.lacking:
        names = ", ".join(operators.lacking)
        lacking = f"TensorFlow Lite Micro has no operator {names}"
        return _Ran(content, Crash(None, lacking, found.stderr), "")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, MODEL_FILE)
        if write_unshared(file, copy) is None:
            again = run_micro(copy, tensors_nhwc)
            if isinstance(again, MicroRun):
                why = f"the repacked file is refused: {found.cause}"
                return _Ran(copy.read_bytes(), again, why)
    return _Ran(content, found, "")


def _parity(
    model: Path, info: LiteModelInfo, images_nhwc: NDArray[np.uint8], found: MicroRun
) -> MicroParity:
    """Compare the answers with those of LiteRT.

    Raises:
        UserError: LiteRT itself ends with this model.
    """
    lite = answers_of(model, images_nhwc, threads=1)
    if isinstance(lite, Crash):
        raise UserError(
            f"LiteRT, which the answers of {PACKAGE} are compared with, ended: {lite.cause}",
            "leave this variant away, or see what benchmark says of it",
        )
    affine, micro_nd = info.output.quantization, found.outputs_nd.astype(np.float32)
    if affine is not None:
        micro_nd = affine.scale * (micro_nd - affine.zero_point)
    difference_nd = np.abs(micro_nd - lite.outputs_nd)
    max_abs = float(difference_nd.max())
    same = micro_nd.argmax(axis=1) == lite.outputs_nd.argmax(axis=1)
    return MicroParity(
        images=len(images_nhwc),
        max_abs=max_abs,
        max_levels=None if affine is None else round(max_abs / affine.scale),
        same_class=float(same.mean()) if info.output.kind == "scores" else None,
    )


def _attempt(told: MicroReport, found: MicroRun | Crash) -> Attempt:
    """Return the verdict; nothing can disturb a count of bytes."""
    if isinstance(found, Crash):
        return Attempt("killed" if found.outside else "crashed", found.sentence)
    assert told.parity is not None
    levels = told.parity.max_levels
    differs = f"{levels} levels" if levels is not None else decimal(told.parity.max_abs, 6)
    said = (
        f"arena {told.arena_bytes:,} bytes, model {told.flash_bytes:,} bytes; answers differ from "
        f"LiteRT by {differs} at most"
    )
    return Attempt(
        "stable", f"{said}; without repack, as {told.unshared}" if told.unshared else said
    )
