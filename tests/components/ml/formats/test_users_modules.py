"""Layers of the user's own: the file that defines them is asked for, and what follows needs none."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from components.contract.errors import UserError
from components.import_model import import_model
from components.ml.formats import model_folder
from pipelines.sources.snapshot import snapshot_model, snapshot_modules, stage
from tests.data.patterns import SIDE

LAYERS = """
{keras}
from my_scales import FACTOR


class Scaled(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(name="factor", shape=(shape[-1],), initializer="ones")
        super().build(shape)

    def call(self, pixels):
        return FACTOR * pixels * self.factor


def squared(pixels):
    return pixels * pixels
"""
MODEL = """
import sys
sys.path.insert(0, sys.argv[1])
{keras}
import numpy as np
from my_layers import Scaled, squared

image = keras.layers.Input(({side}, {side}, 1))
flow = keras.layers.Flatten()(Scaled(name="mine")(image))
# Keras 2 itself cannot read functions in its .h5 files again.
flow = keras.layers.Dense(4, activation=squared if sys.argv[2].endswith(".keras") else None)(flow)
model = keras.Model(image, keras.layers.Softmax()(flow))
model.get_layer("mine").set_weights([np.array([0.3])])
model.save(sys.argv[2])
images = np.random.default_rng(0).uniform(-1, 1, (6, {side}, {side}, 1)).astype("float32")
np.savez(sys.argv[3], images=images, answers=model.predict(images, verbose=0))
"""
KERAS = {"keras": "from tensorflow import keras", "tf_keras": "import tf_keras as keras"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """By what wrote it: a model of a layer and an activation of the user's, and their files."""
    made = {}
    for way, ending in (("keras", "keras"), ("tf_keras", "h5")):
        folder = tmp_path_factory.mktemp("own")
        (folder / "my_scales.py").write_text("FACTOR = 2.0\n")
        (folder / "my_layers.py").write_text(LAYERS.format(keras=KERAS[way]))
        (folder / "write.py").write_text(MODEL.format(keras=KERAS[way], side=SIDE))
        paths = [str(folder / name) for name in ("", f"mine.{ending}", "answers.npz")]
        environment = {"PATH": "/usr/bin", "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, str(folder / "write.py"), *paths]
        subprocess.run(command, check=True, env=environment, capture_output=True)
        made[way] = folder / f"mine.{ending}"
    return made


@pytest.fixture
def take(tmp_path, pattern_data):
    """Import a file with modules of the user's own; returns the Model's folder."""

    def run(path, *modules, trusted=True, name="model"):
        folder = tmp_path / name
        stage(snapshot_model(str(path)), folder / "source")
        if modules:
            stage(snapshot_modules([str(one) for one in modules]), folder / "modules")
        import_model(
            folder / "source", pattern_data, folder / "modules" if modules else None,
            folder / "model", folder / "report", trusted=trusted,
        )  # fmt: skip
        return folder / "model"

    return run


def modules_of(path):
    return path.parent / "my_scales.py", path.parent / "my_layers.py"


@pytest.mark.parametrize("way", KERAS)
def test_the_file_that_defines_a_layer_is_asked_for_and_helps(way, files, take, tmp_path):
    for trusted in (False, True):
        with pytest.raises(UserError, match="trusted: true alone cannot help") as caught:
            take(files[way], trusted=trusted, name=f"refused-{trusted}")
        assert "modules: [./layers.py]" in caught.value.fix
    model = take(files[way], *modules_of(files[way]))
    written = np.load(files[way].parent / "answers.npz")
    answers = model_folder.inference(model)(written["images"])  # without the user's code
    np.testing.assert_allclose(answers, written["answers"], atol=1e-6)
    report = json.loads((tmp_path / "model" / "report" / "import.json").read_bytes())
    assert [one["name"] for one in report["modules"]] == ["my_scales.py", "my_layers.py"]
    assert not {"my_layers", "my_scales"} & set(sys.modules)


def test_modules_are_not_executed_without_trust(files, take, tmp_path):
    armed = tmp_path / "armed.py"
    armed.write_text(f"open({str(tmp_path / 'proof')!r}, 'w')\n")
    with pytest.raises(UserError, match="what is in them is executed"):
        take(files["tf_keras"], armed, trusted=False)
    assert not (tmp_path / "proof").exists()


FAULTS = {
    "ZeroDivisionError": ("broken.py", "1 / 0", "cannot be imported"),
    "a name that is installed": ("json.py", "", "rename it: my_json.py"),
    "a file that is not there": ("alone.py", "import elsewhere", "list every file of yours"),
    "the other Keras": (
        "other.py", "import keras\nclass Mine(keras.layers.Layer): pass", "import tf_keras",
    ),
    "a class that is nowhere": ("empty.py", "def nothing(): ...", "list every file that defines a layer of yours"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_module_is_the_users_and_is_told(fault, files, take, tmp_path):
    name, code, said = FAULTS[fault]
    (tmp_path / name).write_text(code)
    with pytest.raises(UserError) as caught:
        take(files["tf_keras"], tmp_path / name)
    assert said in str(caught.value)
    take(files["tf_keras"], *modules_of(files["tf_keras"]), name="right")


def test_what_is_no_module_is_refused(tmp_path):
    for name in ("one.py", "two.txt", "no-name.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "one.py").write_text("")
    for place in (tmp_path / "two.txt", tmp_path / "no-name.py", tmp_path / "package"):
        with pytest.raises(UserError, match="is no Python module"):
            snapshot_modules([str(place)])
    with pytest.raises(UserError, match=r"are both called one\.py"):
        snapshot_modules([str(tmp_path / "one.py"), str(tmp_path / "package" / "one.py")])
    both = snapshot_modules([str(tmp_path / "one.py")])
    Path(tmp_path / "one.py").write_text("changed = True")
    assert snapshot_modules([str(tmp_path / "one.py")]).digest != both.digest
