"""What programs of peers are given: each network is trained on the loss that fits its output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

SIDE = 8


@pytest.mark.parametrize("ends", ["linear", "softmax"])
def test_networks_with_and_without_a_softmax_learn(
    ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logits that are taken for probabilities ruin a network, and the tool would be blamed."""
    for name in ("TF_USE_LEGACY_KERAS", "TF_CPP_MIN_LOG_LEVEL"):
        monkeypatch.setenv(name, "1")  # it sets them, and this process goes on
    from components.ml.runtime import tf_keras
    from tests.benchmarks.peers.programs.given import Given, GivenModel, fine_tune

    random = np.random.default_rng(0)
    labels_n = np.arange(96) % 3
    images_nhwc = random.integers(0, 60, (96, SIDE, SIDE, 3), np.uint8)
    images_nhwc[np.arange(96), :, :, labels_n] += 120
    split = tmp_path / "dataset" / "train"
    split.mkdir(parents=True)
    np.save(split / "images.npy", images_nhwc)
    np.save(split / "labels.npy", labels_n)
    layers = tf_keras.layers
    image = layers.Input((SIDE, SIDE, 3))
    pooled = layers.GlobalAveragePooling2D()(image)
    network = tf_keras.Model(image, layers.Dense(3, activation=ends)(pooled))
    network.save(tmp_path / "net.h5")
    model = GivenModel("student", tmp_path / "net.h5", tmp_path / "none", 128.0, 128.0)
    assert model.gives_logits() == (ends == "linear")
    given = Given(tmp_path, tmp_path, None, 1, 0, (model,))
    network = model.keras()
    fine_tune(given, model, network, epochs=30, batch=16, learning_rate=0.1)
    answers_nd = network.predict(model.normalized(images_nhwc), verbose=0)
    assert (answers_nd.argmax(axis=1) == labels_n).mean() > 0.95
