"""Metadata of apps, as MediaPipe's ImageClassifier reads it."""

from __future__ import annotations

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


@pytest.mark.parametrize("repack", [True, False])
@pytest.mark.parametrize("plan", [None, CAMERA], ids=["float32", "int8"])
def test_mediapipe_classifies_with_it(
    tmp_path: Path, plan: QuantizationPlan | None, *, repack: bool
) -> None:
    mediapipe: Any = pytest.importorskip("mediapipe", reason="needs pip install mediapipe")
    tasks = mediapipe.tasks
    content = converted(tmp_path, plan, repack=repack)
    options = tasks.vision.ImageClassifierOptions(
        base_options=tasks.BaseOptions(model_asset_buffer=content)
    )
    with tasks.vision.ImageClassifier.create_from_options(options) as classifier:
        for number, name in enumerate(CLASSES):
            pixels = np.full((8, 8, 3), 90, np.uint8)
            pixels[..., number] = 140
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
            (found,) = classifier.classify(image).classifications
            best = found.categories[0]
            assert (best.category_name, best.index) == (name, number)
            # softmax of (-0.2, -0.2, 0.8): the normalization of the file, not another one.
            assert best.score == pytest.approx(np.e / (np.e + 2), abs=0.02 if plan else 1e-4)


def test_mediapipe_embeds_with_it(tmp_path: Path) -> None:
    mediapipe: Any = pytest.importorskip("mediapipe", reason="needs pip install mediapipe")
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
    tasks = mediapipe.tasks
    options = tasks.vision.ImageEmbedderOptions(
        base_options=tasks.BaseOptions(
            model_asset_buffer=(tmp_path / "lite" / MODEL_FILE).read_bytes()
        )
    )
    pixels = np.full((8, 8, 3), (255, 0, 51), np.uint8)
    with tasks.vision.ImageEmbedder.create_from_options(options) as embedder:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)
        (found,) = embedder.embed(image).embeddings
        assert found.embedding == pytest.approx([1, -1, -0.6], abs=1e-5)
