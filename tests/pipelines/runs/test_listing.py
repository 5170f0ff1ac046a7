"""What the files tell is refused before anything runs, and each fix leads on."""

import numpy as np
import pytest

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.launch.explaining import explain

CONFIG = """
name: own
task: classification
data: ./data.npz
image: {{height: 8, width: 8, channels: 1}}
teacher: {{model: ./saved, {more} normalization: {{mean: 0, scale: 255}}}}
variants: {{small: [{steps}]}}
store: ./store
"""
PRUNE = "{prune: {sparsity: 0.5, epochs: 1}}"
TRUSTED = "trusted: true,"


@pytest.fixture
def explained(tmp_path):
    images, labels = np.zeros((4, 8, 8, 1), np.uint8), np.arange(4) % 2
    np.savez(tmp_path / "data.npz", images=images, labels=labels)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"never opened here")

    def run(more, *steps):
        path = tmp_path / "own.yaml"
        path.write_text(CONFIG.format(more=more, steps=", ".join(steps)))
        return explain(load(path))

    return run


def test_a_saved_model_cannot_be_pruned_and_the_configuration_is_enough_to_know(explained):
    with pytest.raises(UserError, match=r"prune-weights-50: .*saved is a SavedModel") as caught:
        explained(TRUSTED, PRUNE)
    assert "put a distill before it" in caught.value.fix
    student = "{distill: {backbone: conv, alpha: 0.25, epochs: 1}}"
    assert "prune-weights-50" in [step.step for step in explained(TRUSTED, student, PRUNE)]


@pytest.mark.parametrize("more", ["", "trusted: true, tower: part,", "trusted: true, freeze: [a],"])
def test_what_a_saved_model_does_not_have_is_refused(more, explained):
    steps = "{quantize: {scheme: float16}}"
    with pytest.raises(UserError, match="is a SavedModel") as caught:
        explained(more, steps)
    assert ("trusted: true" if not more else "away") in caught.value.fix
    explained(TRUSTED, steps)
