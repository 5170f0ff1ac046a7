"""What every peer is given: slimline's teacher and student, its splits, and images to calibrate on.

    inputs.json         models, classes, and the digest of all of it
    teacher.h5 ...      the networks, as Keras 2 files and as float LiteRT files
    dataset/, sealed/   what ingest made
    calibration.npy     uint8, as many images of each class

Shapes: n images, h rows, w columns, c channels.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from components.artifacts.dataset import SEALED, Dataset
from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import ModelInfo
from components.contract.digests import canonical_json, digest, file_sha256
from components.contract.tree import tree_of
from tests.benchmarks.peers.run_of_slimline import SlimlineRun

ROOT = Path(__file__).parents[3]
CALIBRATION_IMAGES = 200
_FILE = "inputs.json"


@dataclass(frozen=True)
class PeerModel:
    """A model that every peer takes.

    Attributes:
        name: ``teacher`` or ``student``.
        h5: File of Keras 2, relative to the folder of the inputs.
        tflite: The same as a float file.
        mean: Subtracted from every pixel.
        scale: What the difference is divided by.
        shape: Height, width and channels.
        parameters: Count of numbers in the weights.
    """

    name: str
    h5: str
    tflite: str
    mean: float
    scale: float
    shape: tuple[int, int, int]
    parameters: int


@dataclass(frozen=True)
class Inputs:
    """What lies in the folder.

    Attributes:
        folder: Where.
        models: Teacher and student.
        classes: In the order of the scores.
        digest: Of everything that a peer can read.
    """

    folder: Path
    models: tuple[PeerModel, ...]
    classes: tuple[str, ...]
    digest: str

    @property
    def sealed(self) -> Path:
        """The dataset with the test images."""
        return self.folder / SEALED

    def model(self, name: str) -> PeerModel:
        """Return one of the models."""
        return next(model for model in self.models if model.name == name)


def read(folder: Path) -> Inputs | None:
    """Return the inputs in a folder; None where there are none, or not all of them yet."""
    file = folder / _FILE
    if not file.is_file():
        return None
    content = json.loads(file.read_bytes())
    models = tuple(PeerModel(**{**one, "shape": tuple(one["shape"])}) for one in content["models"])
    return Inputs(folder, models, tuple(content["classes"]), content["digest"])


def prepare(run: SlimlineRun, folder: Path) -> Inputs:
    """Write the inputs from what slimline's run left, or take them where they are the same.

    Args:
        run: A finished one.
        folder: Where they are to lie; what lies there of another run goes.
    """
    made_from = digest("peers-inputs", [run.trees(), file_sha256(Path(__file__))])
    kept = read(folder)
    if kept and json.loads((folder / _FILE).read_bytes())["made_from"] == made_from:
        return kept
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("dataset", SEALED):
        run.stage("ingest", name, folder / name)
    data = Dataset.open(folder / "dataset")
    models = tuple(_model(run, name, folder) for name in ("teacher", "student"))
    np.save(folder / "calibration.npy", calibration_images(data, CALIBRATION_IMAGES))
    files = {path: file_sha256(folder / path) for path in sorted(_files(models))}
    trees = {name: tree_of(folder / name).digest for name in ("dataset", SEALED)}
    content = {
        "models": [asdict(model) for model in models],
        "classes": data.info.classes,
        "made_from": made_from,
        "digest": digest("peers-inputs", [files, trees]),
    }
    (folder / _FILE).write_bytes(canonical_json(content))
    found = read(folder)
    assert found, "it has just been written"
    return found


def calibration_images(data: Dataset, count: int) -> np.ndarray:
    """Return training images, as many of each class: uint8, n x h x w x c.

    Drawn with a seed of their own, so that every run and every peer calibrates on the same.
    """
    labels_n, random = data.labels("train"), np.random.default_rng(0)
    each = max(1, count // len(data.info.classes))
    chosen = np.concatenate(
        [
            random.permutation(np.flatnonzero(labels_n == index))[:each]
            for index in range(len(data.info.classes))
        ]
    )
    images = data.images("train")
    return np.stack([np.asarray(images[int(row)]) for row in np.sort(chosen)])


def _model(run: SlimlineRun, name: str, folder: Path) -> PeerModel:
    """Write a model as a Keras file and as a float file of LiteRT."""
    model, lite = folder / f"{name}-model", folder / f"{name}-lite"
    step, port = run.model_of(name)
    run.stage(step, port, model)
    h5, tflite = f"{name}.h5", f"{name}.tflite"
    _python("tests.benchmarks.peers.exporting", str(model), str(folder / h5))
    # Repacked files have no names of tensors, which LiteRT's quantizer goes by.
    _python(
        "components", "convert", "--model", str(model), "--lite", str(lite),
        "--report", str(folder / f"{name}-report"), "--repack", "false",
    )  # fmt: skip
    shutil.copyfile(lite / MODEL_FILE, folder / tflite)
    info = ModelInfo.read(model)
    for path in (model, lite, folder / f"{name}-report"):
        shutil.rmtree(path)
    return PeerModel(
        name, h5, tflite, info.input.mean, info.input.scale, info.image_shape, info.parameters
    )


def _python(*words: str) -> None:
    """Run a module of ours, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _files(models: tuple[PeerModel, ...]) -> list[str]:
    named = [file for model in models for file in (model.h5, model.tflite)]
    return [*named, "calibration.npy"]
