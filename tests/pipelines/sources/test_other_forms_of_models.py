"""Models of other frameworks are named, and the way that the error gives is one that works."""

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.sources.snapshot import (
    snapshot_answers,
    snapshot_model,
    snapshot_weights,
)

CONFIG = """
name: other
task: classification
data: ./images
image: {height: 8, width: 8, channels: 1}
split: {by: image}
teacher: {model: ./FILE, normalization: {mean: 0, scale: 255}}
variants: {tiny: [{distill: {backbone: conv, alpha: 0.25, epochs: 1}}]}
budgets: {drop: 1}
"""
NO_KERAS = {
    "model.pt": "a checkpoint or pickle",
    "model.pth": "a checkpoint or pickle",
    "model.onnx": "ONNX",
    "model.tflite": "already converted",
    "model.safetensors": "weights without an architecture",
    "graph.pb": "a graph of TensorFlow 1",
}


def refused(folder, name):
    (folder / name).write_bytes(b"weights")
    with pytest.raises(UserError, match=r"^teacher\.model: ") as caught:
        snapshot_model(str(folder / name))
    return caught.value


@pytest.mark.parametrize("name", NO_KERAS)
def test_a_model_of_another_framework_leads_to_its_answers(name, tmp_path, monkeypatch):
    error = refused(tmp_path, name)
    assert NO_KERAS[name] in error.what
    code, teacher = re.search(r"(np\.savez.*\)), with (teacher: .*)$", error.fix).groups()
    monkeypatch.chdir(tmp_path)
    eval(code, {"np": np, "paths": np.array(["a/1.png"]), "outputs": np.ones((1, 2))})
    lines = [teacher if line.startswith("teacher") else line for line in CONFIG.splitlines()]
    Path("run.yaml").write_text("\n".join(lines))
    snapshot_answers(load(Path("run.yaml")).teacher.outputs)


def test_a_folder_of_another_framework_is_told_by_its_files(tmp_path):
    for name in ("config.json", "README.md", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match="weights without an architecture"):
        snapshot_model(str(tmp_path))


def test_weights_are_taken_under_the_key_that_is_named(tmp_path):
    error = refused(tmp_path, "w.safetensors")
    assert "teacher: {backbone: ..., weights: FILE}" in error.fix
    snapshot_weights(str(tmp_path / "w.safetensors"))


def test_a_program_and_an_archive_lead_to_the_folder(tmp_path):
    saved = tmp_path / "saved"
    saved.mkdir()
    assert "give the folder" in refused(saved, "saved_model.pb").fix
    folder = snapshot_model(str(saved))
    with zipfile.ZipFile(tmp_path / "saved.zip", "w") as archive:
        archive.write(saved / "saved_model.pb", "saved_model.pb")
    with pytest.raises(UserError, match="is an archive") as caught:
        snapshot_model(str(tmp_path / "saved.zip"))
    assert "python -m zipfile -e FILE FOLDER" in caught.value.fix
    zipfile.main(["-e", str(tmp_path / "saved.zip"), str(tmp_path / "unpacked")])
    assert snapshot_model(str(tmp_path / "unpacked")).digest == folder.digest


def test_a_keras_model_saved_as_a_folder_is_packed_by_the_command_that_is_given(tmp_path):
    parts = {"config.json": "{}", "metadata.json": "{}", "model.weights.h5": "weights"}
    folder = tmp_path / "my model"
    (folder / "assets").mkdir(parents=True)
    for name, text in parts.items():
        (folder / name).write_text(text)
    with pytest.raises(UserError, match="Keras 3 model that was saved as a folder") as caught:
        snapshot_model(str(folder))
    _, command = caught.value.fix.split(": ", 1)
    assert command.startswith("cd FOLDER && python ")
    command = command.replace("FOLDER", shlex.quote(str(folder))).replace("python", sys.executable)
    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)
    with zipfile.ZipFile(tmp_path / "model.keras") as packed:
        assert set(packed.namelist()) == {"assets/", *parts}
        assert {name: packed.read(name).decode() for name in parts} == parts
    assert snapshot_model(str(tmp_path / "model.keras")).files


@pytest.mark.parametrize(
    ("names", "given", "called"),
    [
        (["m.weights.json", "m_00000.weights.h5"], "m.weights.json", "weights in parts"),
        (["m.weights.json", "m_00000.weights.h5", "README.md"], "", "weights in parts"),
        (["checkpoint", "m.index", "m.data-00000-of-00001"], "", "a checkpoint of TensorFlow"),
        (["m.data-00000-of-00002"], "m.data-00000-of-00002", "a checkpoint of TensorFlow"),
    ],
)
def test_weights_alone_lead_to_the_whole_model(names, given, called, tmp_path):
    for name in names:
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=called) as caught:
        snapshot_model(str(tmp_path / given))
    assert "model.save('model.keras')" in caught.value.fix
    (tmp_path / "model.keras").write_bytes(b"")
    snapshot_model(str(tmp_path / "model.keras"))


@pytest.mark.parametrize("inside", ["", "variables"])
def test_a_saved_model_without_its_graph(inside: str, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    (saved / inside).mkdir(parents=True)
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (saved / inside / name).write_text("weights")
    with pytest.raises(UserError, match="a SavedModel that has no") as caught:
        snapshot_model(str(saved))
    assert "both saved_model.pb and variables" in caught.value.fix
