"""What the files tell is refused before anything runs, and each fix leads on."""

import json
import zipfile

import numpy as np
import pytest

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.launch.explaining import explain
from tests.data import archives

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

    def run(more, *steps, change=lambda text: text):
        path = tmp_path / "own.yaml"
        path.write_text(change(CONFIG.format(more=more, steps=", ".join(steps))))
        return explain(load(path))

    return run


def test_a_saved_model_cannot_be_pruned_and_the_configuration_is_enough_to_know(explained):
    with pytest.raises(UserError, match=r"prune-weights-50: .*saved is a SavedModel") as caught:
        explained(TRUSTED, PRUNE)
    assert "put a distill before it" in caught.value.fix
    student = "{distill: {backbone: conv, alpha: 0.25, epochs: 1}}"
    assert "prune-weights-50" in [step.step for step in explained(TRUSTED, student, PRUNE)]


STUDENT = "{distill: {backbone: conv, alpha: 0.25, epochs: 1}}"
HINTS = "{distill: {backbone: conv, alpha: 0.25, epochs: 1, hint_weight: 1}}"
NEEDING_LAYERS = {
    "prune": PRUNE,
    "channels": "{prune: {method: channels, epochs: 1}}",
    "layers": "{prune: {method: layers, epochs: 1}}",
    "cluster": "{cluster: {}}",
    "quantize_aware": "{quantize_aware: {}}",
    "hints": HINTS,
    "attention": HINTS.replace("hint_weight", "attention_weight"),
}
WITHOUT_LAYERS = ("{quantize: {scheme: int8}}", "{quantize: {scheme: float16}}", STUDENT)


def of_a_file(config, tmp_path):
    """The configuration of a Keras file with a Lambda layer, which nothing but its JSON says."""
    layers = [
        {"class_name": "Lambda", "config": {"name": "halve", "function": ["e30=", None, None]}}
    ]
    with zipfile.ZipFile(tmp_path / "mine.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
    return config.replace("./saved", "./mine.keras")


def of_modules(config, tmp_path):
    (tmp_path / "layers.py").write_text("")
    (tmp_path / "mine.h5").write_bytes(b"never opened here")
    return config.replace("./saved", "./mine.h5").replace(
        "trusted: true", "trusted: true, modules: [./layers.py]"
    )


PROGRAMS = {
    "a SavedModel": lambda config, _: config,
    "layers of one's own": of_modules,
    "a Lambda": of_a_file,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_step_that_needs_layers_is_refused_behind_every_program(program, explained, tmp_path):
    def run(step):
        return explained(TRUSTED, step, change=lambda text: PROGRAMS[program](text, tmp_path))

    for step in NEEDING_LAYERS.values():
        with pytest.raises(UserError, match="program") as caught:
            run(step)
        if "distill" not in step:
            explained(TRUSTED, STUDENT, step)  # put a distill before it
        else:
            key = caught.value.fix.partition("remove ")[2].partition(",")[0]
            run(step.replace(f", {key}: 1", ""))
    for step in WITHOUT_LAYERS:
        run(step)


@pytest.mark.parametrize(("tower", "free"), [("plain", True), ("coded", False)])
def test_a_lambda_outside_of_the_tower_that_is_asked_for_does_not_count(
    tower, free, explained, tmp_path
):
    code = {"class_name": "Lambda", "config": {"name": "halve", "function": ["e30=", None, None]}}
    layers = [
        {"class_name": "Functional", "config": {"name": name, "layers": inside}}
        for name, inside in (("plain", []), ("coded", [code]))
    ]
    with zipfile.ZipFile(tmp_path / "mine.keras", "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": [*layers, code]}}))

    def change(text):
        return text.replace("./saved", "./mine.keras")

    if free:
        assert explained(f"tower: {tower},", PRUNE, change=change)
        return
    with pytest.raises(UserError, match="becomes a program by its Lambda 'halve'"):
        explained(f"trusted: true, tower: {tower},", PRUNE, change=change)


@pytest.mark.parametrize("more", ["", "trusted: true, tower: part,", "trusted: true, freeze: [a],"])
def test_what_a_saved_model_does_not_have_is_refused(more, explained):
    steps = "{quantize: {scheme: float16}}"
    with pytest.raises(UserError, match="is a SavedModel") as caught:
        explained(more, steps)
    assert ("trusted: true" if not more else "away") in caught.value.fix
    explained(TRUSTED, steps)


@pytest.mark.parametrize("said", archives.MAKINGS)
def test_a_file_that_cannot_be_unpacked_is_left_to_import_model(said, explained, tmp_path):
    """Which says what is wrong with it; here nothing is known of its layers."""

    def unreadable(config):
        written = of_a_file(config, tmp_path)
        archives.unreadable(tmp_path / "mine.keras", said)
        return written

    assert explained(TRUSTED, "{cluster: {}}", change=unreadable)
