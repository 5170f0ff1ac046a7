"""Metadata of apps, as MediaPipe's ImageClassifier reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import Embedding, ImageInput, ModelInfo, QuantizationPlan, Scores
from components.contract.errors import UserError
from components.ml.lite import appended, metadata
from components.ml.lite.anatomy import anatomy
from components.ml.lite.flatbuffer import LiteFile

CLASSES = ("red", "green", "blue things")
CAMERA = QuantizationPlan("int8", "uint8", "uint8")


def colours(path: Path, plan: QuantizationPlan | None = None) -> Path:
    """A Model that says which colour an image of 8 x 8 pixels has most of."""
    from components.ml.formats import calibration, model_folder
    from components.ml.runtime import configure, tf

    configure(threads=2, seed=0)
    info = ModelInfo(
        task="classification",
        input=ImageInput(8, 8, 3, mean=100.0, scale=50.0),
        output=Scores(CLASSES, "softmax"),
        parameters=0,
        trainable=False,
        quantization=plan,
        source="a test",
    )
    kernel = tf.constant(np.eye(3, dtype=np.float32)[None, None])

    def score(image_bhwc: Any) -> Any:
        mixed_bhwc = tf.nn.conv2d(image_bhwc, kernel, 1, "SAME")
        return tf.nn.softmax(tf.reduce_mean(mixed_bhwc, (1, 2)))

    model_folder.export(path, score, tf.Module(), info)
    info.write(path)
    if plan:
        plain = np.random.default_rng(0).integers(60, 170, (16, 1, 1, 3), np.uint8)
        pixels = np.broadcast_to(plain, (16, 8, 8, 3)).copy()
        pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
        calibration.write(path, model_folder.normalize(pixels, info))
    return path


def converted(tmp_path: Path, plan: QuantizationPlan | None = None, **options: Any) -> bytes:
    from components.ml.lite import conversion

    model = colours(tmp_path / "model", plan)
    given = {"repack": True, "metadata": True, "seed": 0, **options}
    conversion.convert(model, tmp_path / "lite", tmp_path / "report", **given)
    return (tmp_path / "lite" / MODEL_FILE).read_bytes()


def test_the_file_says_how_to_feed_it_and_what_it_answers(tmp_path: Path) -> None:
    with_it = converted(tmp_path)
    plain = converted(tmp_path, metadata=False)
    assert LiteFile.parse(with_it).metadata[metadata.ENTRY] > 300
    assert appended.files_of(with_it) == {"labels.txt": b"red\ngreen\nblue things"}
    assert metadata.ENTRY not in LiteFile.parse(plain).metadata
    assert appended.files_of(plain) == {}
    assert 500 < len(with_it) - len(plain) < 1000
    parts = anatomy(with_it).to_json()
    assert 500 < parts["metadata"] < 1000
    assert anatomy(plain).metadata == 0


def test_labels_are_lines() -> None:
    assert metadata.labels(("one", "two")) == b"one\ntwo"
    with pytest.raises(UserError, match="cannot be a line") as caught:
        metadata.labels(("one", "two\nthree"))
    assert "metadata: false" in caught.value.fix
    assert metadata.labels(("one", "two three")).count(b"\n") == 1


def test_what_mediapipe_does_not_take_is_refused_and_the_fix_helps() -> None:
    fine = ModelInfo("classification", ImageInput(8, 8, 3), Scores(CLASSES), 0, quantization=CAMERA)
    metadata.refuse_edges(fine)
    metadata.refuse_edges(replace(fine, quantization=None))
    for broken, what in (
        (replace(fine, input=ImageInput(8, 8, 1)), "of 3 channels, and the model's have 1"),
        (replace(fine, quantization=replace(CAMERA, input_type="int8")), "input_type is int8"),
        (replace(fine, quantization=replace(CAMERA, output_type="int8")), "output_type is int8"),
    ):
        with pytest.raises(UserError, match=what) as caught:
            metadata.refuse_edges(broken)
        assert "metadata: false" in caught.value.fix


@pytest.fixture(scope="module")
def mediapipe_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with MediaPipe, which wants another absl-py than kfp and so an environment apart."""
    environment = tmp_path_factory.mktemp("mediapipe")
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "mediapipe==1.2.3"], check=True)
    return python


_ASK = """
import json, sys
import mediapipe, numpy as np

kind, model, given = sys.argv[1], open(sys.argv[2], "rb").read(), json.loads(sys.argv[3])
vision, base = mediapipe.tasks.vision, mediapipe.tasks.BaseOptions(model_asset_buffer=model)
images = [
    mediapipe.Image(
        image_format=mediapipe.ImageFormat.SRGB, data=np.full((8, 8, 3), colour, np.uint8)
    )
    for colour in given
]
if kind == "classify":
    task = vision.ImageClassifier.create_from_options(vision.ImageClassifierOptions(base))
    best = [task.classify(image).classifications[0].categories[0] for image in images]
    print(json.dumps([[one.category_name, one.index, one.score] for one in best]))
else:
    task = vision.ImageEmbedder.create_from_options(vision.ImageEmbedderOptions(base))
    print(json.dumps([task.embed(one).embeddings[0].embedding.tolist() for one in images]))
task.close()
"""


def asked(python: Path, kind: str, model: Path, colours: list[tuple[int, int, int]]) -> Any:
    """Return what MediaPipe's task says of images of one colour each."""
    done = subprocess.run(
        [python, "-c", _ASK, kind, str(model), json.dumps(colours)],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("repack", [True, False])
@pytest.mark.parametrize("plan", [None, CAMERA], ids=["float32", "int8"])
def test_mediapipe_classifies_with_it(
    mediapipe_python: Path, tmp_path: Path, plan: QuantizationPlan | None, *, repack: bool
) -> None:
    converted(tmp_path, plan, repack=repack)
    images = [(140, 90, 90), (90, 140, 90), (90, 90, 140)]
    found = asked(mediapipe_python, "classify", tmp_path / "lite" / MODEL_FILE, images)
    assert [(name, index) for name, index, _ in found] == [
        (name, number) for number, name in enumerate(CLASSES)
    ]
    # softmax of (-0.2, -0.2, 0.8): by the normalization of the file and no other one.
    near = pytest.approx(np.e / (np.e + 2), abs=0.02 if plan else 1e-4)
    assert [score for _, _, score in found] == [near] * 3


@pytest.mark.slow
def test_mediapipe_refuses_a_file_without_it(mediapipe_python: Path, tmp_path: Path) -> None:
    converted(tmp_path, metadata=False)
    with pytest.raises(subprocess.CalledProcessError):
        asked(mediapipe_python, "classify", tmp_path / "lite" / MODEL_FILE, [(1, 2, 3)])


@pytest.mark.slow
def test_mediapipe_embeds_with_it(mediapipe_python: Path, tmp_path: Path) -> None:
    from components.ml.formats import model_folder
    from components.ml.lite import conversion
    from components.ml.runtime import configure, tf

    configure(threads=2, seed=0)
    info = ModelInfo("verification", ImageInput(8, 8, 3), Embedding(3), 0, trainable=False)
    kernel = tf.constant(np.eye(3, dtype=np.float32)[None, None])
    model_folder.export(
        tmp_path / "model",
        lambda image: tf.reduce_mean(tf.nn.conv2d(image, kernel, 1, "SAME"), (1, 2)),
        tf.Module(),
        info,
    )
    info.write(tmp_path / "model")
    conversion.convert(
        tmp_path / "model", tmp_path / "lite", tmp_path / "report",
        repack=True, metadata=True, seed=0,
    )  # fmt: skip
    (found,) = asked(mediapipe_python, "embed", tmp_path / "lite" / MODEL_FILE, [(255, 0, 51)])
    assert found == pytest.approx([1, -1, -0.6], abs=1e-5)
