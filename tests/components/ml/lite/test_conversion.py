import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.artifacts.lite_model import MODEL_FILE
from components.artifacts.model import Embedding, ImageInput, ModelInfo, QuantizationPlan
from components.contract.errors import UserError
from components.ml.lite.flatbuffer import LiteFile
from tests.components.devices.killing import killed
from tests.data.patterns import images_of

INT8 = QuantizationPlan("int8")


def file_of(folder: Path) -> LiteFile:
    return LiteFile.parse((folder / "lite" / MODEL_FILE).read_bytes())


def program(path: Path, function: Callable[[Any], Any], plan: QuantizationPlan | None) -> Path:
    """A Model without an architecture: 8 x 8 pixels to four numbers by ``function``."""
    from components.ml.formats import model_folder
    from components.ml.runtime import configure, tf

    configure(threads=2, seed=0)
    info = ModelInfo(
        task="verification",
        input=ImageInput(8, 8, 1),
        output=Embedding(4),
        parameters=0,
        trainable=False,
        quantization=plan,
        source="a test",
    )
    model_folder.export(
        path, lambda x: function(tf.reshape(x, (1, 64))[:, 8:12]), tf.Module(), info
    )
    info.write(path)
    if plan:
        images, _ = images_of(8, seed=0)
        np.savez(path / "calibration.npz", images=model_folder.normalize(images, info))
    return path


def test_an_operator_that_the_converter_leaves_in_float_without_a_word_is_named(
    tmp_path: Path,
) -> None:
    from components.ml.lite import conversion
    from components.ml.runtime import tf

    model = program(tmp_path / "model", tf.floor, INT8)
    with pytest.raises(UserError, match="FLOOR") as caught:
        conversion.convert(
            model, tmp_path / "lite", tmp_path / "report", repack=True, metadata=False, seed=0
        )
    assert "dynamic" in caught.value.fix
    assert not (tmp_path / "lite").exists()


def test_an_operator_that_no_file_can_express_is_named(tmp_path: Path) -> None:
    from components.ml.lite import conversion
    from components.ml.runtime import tf

    model = program(tmp_path / "model", tf.math.erf, None)
    with pytest.raises(UserError, match=r"as float32: tf\.Erf is neither"):
        conversion.convert(
            model, tmp_path / "lite", tmp_path / "report", repack=True, metadata=False, seed=0
        )


def test_a_float_file_that_answers_something_else_is_refused(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path, tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    from components.ml.formats import model_folder
    from components.ml.lite import parity
    from components.ml.runtime import configure

    configure(threads=2, seed=0)
    lite, info = lite_patterns["float32"] / "lite", ModelInfo.read(pattern_classifier)
    measured = parity.measure(pattern_classifier, lite, info, None, seed=0)
    assert measured.differences["cosine_min"] > 0.9999
    model, _ = model_folder.load(pattern_classifier)
    name = "embedding/bias"
    assert name in load_file(pattern_classifier / model_folder.WEIGHTS)
    changed = model.get_layer("embedding")
    changed.bias.assign_add(np.full(8, 0.5, np.float32))
    model_folder.save(tmp_path / "other", model, info)
    with pytest.raises(AssertionError, match="float32 file differs"):
        parity.measure(tmp_path / "other", lite, info, None, seed=0)


def test_answers_that_are_not_finite_are_refused() -> None:
    from components.ml.lite import parity

    fine, broken = np.ones((2, 3), np.float32), np.full((2, 3), np.inf, np.float32)
    parity.refuse_infinite(fine, fine, "float16")
    with pytest.raises(UserError, match="float16 file answers"):
        parity.refuse_infinite(fine, broken, "float16")
    with pytest.raises(UserError, match="Keras model answers"):
        parity.refuse_infinite(broken, broken, "float16")


def test_a_runtime_that_dies_is_written_down(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path, tmp_path: Path
) -> None:
    from components.ml.lite import parity

    lite = shutil.copytree(lite_patterns["float32"] / "lite", tmp_path / "lite")
    (lite / MODEL_FILE).unlink()
    measured = parity.measure(
        pattern_classifier, lite, ModelInfo.read(pattern_classifier), None, seed=0
    )
    assert measured.delegate is None
    assert measured.differences["crashed"]["name"]


def test_a_comparison_that_is_killed_twice_is_no_report(
    lite_patterns: Mapping[str, Path], pattern_classifier: Path, tmp_path: Path
) -> None:
    from components.ml.lite import parity

    lite = shutil.copytree(lite_patterns["float32"] / "lite", tmp_path / "lite")
    given = (pattern_classifier, lite, ModelInfo.read(pattern_classifier), None)
    with (
        killed(str(lite), times=2),
        pytest.raises(UserError, match=r"ended twice from outside: signal 9 \(SIGKILL\)") as fault,
    ):
        parity.measure(*given, seed=0)
    assert "run again" in fault.value.fix
    assert "crashed" not in parity.measure(*given, seed=0).differences


def test_what_differs_is_measured() -> None:
    from components.ml.lite import parity

    one = np.array([[3.0, 4.0], [1.0, 0.0]], np.float32)
    assert parity.differences(one, one) == {
        "max_abs": 0.0, "share": 0.0, "cosine_min": 1.0, "cosine_mean": 1.0
    }  # fmt: skip
    turned = np.array([[3.0, 4.0], [0.0, 1.0]], np.float32)
    assert parity.differences(one, turned) == {
        "max_abs": 1.0, "share": 0.25, "cosine_min": 0.0, "cosine_mean": 0.5
    }  # fmt: skip


def test_small_answers_have_directions_too() -> None:
    from components.ml.lite import parity

    small = np.array([[3e-9, 4e-9]], np.float32)
    assert parity.differences(small, 2 * small)["cosine_min"] == pytest.approx(1)
    assert parity.differences(small, 0 * small)["cosine_min"] == 0


def test_synthetic_images_fill_the_range_and_hang_on_the_seed() -> None:
    from components.ml.lite import parity

    info = ModelInfo("verification", ImageInput(20, 12, 3), Embedding(4), 0)
    images = parity.synthetic_images(info, seed=1)
    assert images.shape == (32, 20, 12, 3)
    assert (images.min(), images.max()) == (-1.0, 1.0)
    assert np.array_equal(images, parity.synthetic_images(info, seed=1))
    assert not np.array_equal(images, parity.synthetic_images(info, seed=2))
