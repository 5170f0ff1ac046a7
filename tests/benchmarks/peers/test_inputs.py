"""Peers read the same splits, and calibrate on as many images of each class."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from components.artifacts.dataset import Dataset
from docs.peer_results import PARTS, PUBLISHED, SLIMLINE
from tests.benchmarks.peers import inputs
from tests.benchmarks.peers.__main__ import main
from tests.benchmarks.peers.catalog import PEERS, PROGRAMS
from tests.benchmarks.peers.stand_ins import CLASSES, write_inputs
from tests.data import patterns


def program(name: str) -> ModuleType:
    """A program of the peers' environments that needs numpy alone."""
    spec = importlib.util.spec_from_file_location(name, PROGRAMS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """What a program reads of its command line."""
    for name in ("TF_USE_LEGACY_KERAS", "TF_CPP_MIN_LOG_LEVEL", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # it sets them, and this process goes on
    write_inputs(tmp_path / "inputs")
    words = [
        "--inputs",
        str(tmp_path / "inputs"),
        "--output",
        str(tmp_path / "output"),
        "--seed",
        "3",
    ]
    monkeypatch.setattr(sys, "argv", ["program", *words])
    module = program("given")
    yield module.read()
    del sys.modules["given"]


def test_calibration_images_are_of_each_class_and_always_the_same(pattern_data: Path) -> None:
    data = Dataset.open(pattern_data)
    images = inputs.calibration_images(data, 20)
    train, labels = np.asarray(data.images("train")), data.labels("train")
    rows = [int(np.flatnonzero((train == image).all(axis=(1, 2, 3)))[0]) for image in images]
    assert np.bincount(labels[rows]).tolist() == [5] * len(CLASSES)
    assert np.array_equal(images, inputs.calibration_images(data, 20))


def test_inputs_that_are_not_whole_are_none(tmp_path: Path) -> None:
    assert inputs.read(tmp_path) is None
    written = write_inputs(tmp_path)
    assert [model.name for model in written.models] == ["teacher", "student"]
    assert written.model("student").shape == (8, 8, 1)


def test_programs_read_the_same_splits_and_normalize_as_the_model_does(given) -> None:
    images, labels = given.split("train")
    expected, truth = patterns.images_of(160, seed=0)
    assert np.array_equal(images, expected)
    assert np.array_equal(labels, truth)
    (teacher, student), calibration = given.models, given.calibration(given.models[0])
    assert student.h5 == given.inputs / "student.h5"
    assert len(calibration) == 8
    assert calibration[0].shape == (1, 8, 8, 1)
    assert calibration[0].dtype == np.float32
    assert np.allclose(calibration[0] * teacher.scale + teacher.mean, np.load(given.inputs / "calibration.npy")[:1])  # fmt: skip


def test_training_sees_every_image_once_an_epoch_and_moved(given) -> None:
    module = sys.modules["given"]
    got = list(module.batches(given, given.models[0], 32, 5))
    labels = np.concatenate([labels for _, labels in got])
    assert np.bincount(labels).tolist() == [40] * 4, "160 images, 5 batches of 32"
    assert all(batch.shape == (32, 8, 8, 1) for batch, _ in got)
    again = list(module.batches(given, given.models[0], 32, 5))
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(got, again, strict=True))
    plain = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8, 1)
    moved = module.changed(plain, np.random.default_rng(0))
    assert moved.shape == plain.shape
    assert not np.array_equal(moved, plain)
    assert module.steps_of(given, 3, 32) == 15


def test_every_peer_is_on_the_page_and_its_program_is_there() -> None:
    assert (SLIMLINE, PUBLISHED, *(peer.name for peer in PEERS)) == tuple(PARTS)
    for peer in PEERS:
        assert all(source.is_file() for source in peer.sources), peer.name
        pinned = {one.partition("==")[0]: one.partition("==")[2] for one in peer.requirements}
        assert all(pinned.values()), f"{peer.name}: a version that changes is another tool"
        assert set(peer.told) <= set(pinned)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "nncv"], "there is no part 'nncv'"),
        (["--steps", "0"], "a training has at least one"),
        ([], "pretrainedResnet.h5 is not there"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_fix(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data", str(tmp_path), "--output", str(tmp_path / "kept"), *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "fix: " in told
    assert not (tmp_path / "kept").exists()
