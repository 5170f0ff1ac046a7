"""What stands for other tools in tests: a package that pip takes without a network, and programs."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np

from components.artifacts.dataset import SEALED, write_dataset
from components.contract.digests import canonical_json
from tests.benchmarks.peers.inputs import Inputs, read
from tests.data import patterns
from tests.data.tiny_lite import one_layer

CLASSES = patterns.NAMES
SHAPE = (patterns.SIDE, patterns.SIDE, 1)


def write_wheel(folder: Path, name: str, version: str = "1.0") -> Path:
    """Write a package without anything in it."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    told = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", "")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        archive.writestr(f"{told}/METADATA", metadata)
        archive.writestr(
            f"{told}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{told}/RECORD", "")
    return wheel


def weights() -> np.ndarray:
    """Return 4 x 64 weights that tell most patterns: the mean image of each, centred."""
    images, labels = patterns.images_of(160, seed=0)
    means = np.stack([images[labels == index].mean(axis=0).ravel() for index in range(4)])
    return (means - means.mean(axis=1, keepdims=True)) / 1000


def lite_file() -> bytes:
    """Return a ``.tflite`` that tells most patterns."""
    return one_layer(weights().astype(np.float32), SHAPE)


def write_inputs(folder: Path) -> Inputs:
    """Write the inputs of peers, with the patterns' dataset and no networks."""
    patterns.write_patterns(folder / "dataset", "classification")
    manifest = [
        {"name": f"test/{row}.png", "split": SEALED, "index": row, "records": None}
        for row in range(60)
    ]
    write_dataset(
        folder / SEALED, {SEALED: patterns.images_of(60, seed=9)}, task="classification",
        classes=CLASSES, manifest=manifest,
    )  # fmt: skip
    models = [
        {"name": name, "h5": f"{name}.h5", "tflite": f"{name}.tflite", "mean": 127.5,
         "scale": 127.5, "shape": SHAPE, "parameters": 256}
        for name in ("teacher", "student")
    ]  # fmt: skip
    np.save(folder / "calibration.npy", patterns.images_of(8, seed=3)[0])
    content = {"models": models, "classes": CLASSES, "made_from": "tests", "digest": "d" * 64}
    (folder / "inputs.json").write_bytes(canonical_json(content))
    found = read(folder)
    assert found
    return found


def write_program(path: Path, files: dict[str, bytes], told: str = "") -> Path:
    """Write a program of a peer that leaves these files of the teacher; ``told`` is run first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path.parent / name).write_bytes(content)
    made = [{"model": "teacher", "kind": Path(name).stem, "file": name} for name in files]
    path.write_text(f"""
import json, shutil, sys
from pathlib import Path
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
output = Path(given["--output"])
output.mkdir(parents=True)
{told}
for name in {list(files)!r}:
    shutil.copy(Path(__file__).with_name(name), output / name)
made = [dict(one, steps=int(given.get("--steps", 7)), step_s=0.5) for one in {made!r}]
(output / "made.json").write_text(json.dumps({{"files": made}}))
""")
    return path


ONNXRUNTIME = '''
"""Stands for ONNX Runtime: an .onnx file is an .npy file of weights."""
import numpy as np
class SessionOptions: pass
class _Input:
    name, shape = "image", [1, 8, 8, 1]
class InferenceSession:
    def __init__(self, path, options, providers):
        assert options.intra_op_num_threads == 1
        with open(path, "rb") as file:
            self.weights = np.load(file)
    def get_inputs(self):
        return [_Input()]
    def run(self, outputs, given):
        (image,) = given.values()
        assert image.dtype == np.float32 and list(image.shape) == _Input.shape
        return [image.reshape(1, -1) @ self.weights.T]
'''


def write_onnx_python(folder: Path) -> Path:
    """Write an interpreter that has this one's packages and an ONNX Runtime that stands for it."""
    folder.mkdir(parents=True)
    (folder / "onnxruntime.py").write_text(ONNXRUNTIME)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={folder} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python
