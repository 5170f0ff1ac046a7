"""Models that declare absurd sizes are refused before memory is taken, and smaller ones are not."""

import json
import resource
import zipfile

import h5py
import pytest

from components.contract.errors import UserError
from components.ml.formats import keras_files, size_limits
from components.ml.runtime import tf_keras

layers = tf_keras.layers
GROWTH_BYTES_MAX = 1 << 30


@pytest.fixture
def saved(tmp_path):
    """Saves a small model; ``keras`` or ``h5``."""

    def save(ending, *extra):
        model = tf_keras.Sequential(
            [layers.Input((8, 8, 1)), *extra, layers.Flatten(), layers.Dense(4)]
        )
        path = tmp_path / f"small.{ending}"
        model.save(path)
        return path

    return save


@pytest.fixture(autouse=True)
def little_memory():
    """No test may take much memory, refused or not."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown_bytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown_bytes < GROWTH_BYTES_MAX


def read(path):
    return keras_files.read(path, path.name, keras_files.form_of(path, path.name), trusted=False)


def refused(path):
    with pytest.raises(UserError) as said:
        read(path)
    return said.value


def changed(path, change):
    """Change the architecture in a file by a function of its JSON text."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = change(str(file.attrs["model_config"]))
        return path
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["config.json"] = change(content["config.json"].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("units", [10**8, 10**10])
def test_units_that_no_memory_holds(ending, units, saved):
    path = saved(ending)
    read(path)
    changed(path, lambda text: text.replace('"units": 4', f'"units": {units}'))
    error = refused(path)
    assert f"at most {size_limits.MODEL_BYTES_MAX:,} are built" in error.what
    assert "smaller" in error.fix
    changed(path, lambda text: text.replace(f'"units": {units}', '"units": 4'))  # the fix
    read(path)


def test_units_that_no_number_holds(saved):
    path = changed(saved("keras"), lambda text: text.replace('"units": 4', f'"units": {10**30}'))
    assert "small.keras" in refused(path).what


def test_outputs_that_no_memory_holds(saved):
    path = saved("keras", layers.ZeroPadding2D(1, name="frame"), layers.GlobalMaxPooling2D())
    read(path)
    document = json.loads(zipfile.ZipFile(path).read("config.json"))
    (frame,) = [one for one in document["config"]["layers"] if one["config"]["name"] == "frame"]
    frame["config"]["padding"] = [[10**6, 10**6], [10**6, 10**6]]
    error = refused(changed(path, lambda _: json.dumps(document)))
    assert "the layer 'frame' makes" in error.what
    assert f"at most {size_limits.OUTPUT_NUMBERS_MAX:,} are computed" in error.what
    frame["config"]["padding"] = [[1, 1], [1, 1]]
    read(changed(path, lambda _: json.dumps(document)))


def test_a_dataset_of_terabytes_that_is_not_there(saved):
    path = saved("h5")
    with h5py.File(path, "r+") as file:
        file.create_dataset("optimizer", (1_000_000, 1_000_000), "f4", chunks=(1000, 1000))
    assert path.stat().st_size < 1_000_000
    error = refused(path)
    assert "declares 4,000,0" in error.what
    assert f"at most {size_limits.FILE_BYTES_MAX:,} are read" in error.what
    assert "include_optimizer=False" in error.fix
    model = read(saved("h5"))
    model.compile("adam", "mse")
    model.save(path, include_optimizer=False)
    read(path)


def test_an_archive_that_unpacks_to_gigabytes(saved):
    path = saved("keras")
    with zipfile.ZipFile(path, "a") as archive:
        archive.getinfo("model.weights.h5").file_size = 7_000_000_000
        archive.writestr("more", b"")  # so that the table of contents is written again
    error = refused(path)
    assert "declares 7,000,000,000 bytes of weights" in error.what
    assert f"at most {size_limits.FILE_BYTES_MAX:,} are read" in error.what
    read(saved("keras"))
