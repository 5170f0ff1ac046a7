import json
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts.lite_model import Affine, LiteInput, LiteModelInfo, LiteOutput
from components.artifacts.model import Embedding, QuantizationPlan, Scores
from components.contract.errors import UserError

UINT8 = LiteInput(8, 8, 1, 127.5, 127.5, "uint8", Affine(2 / 255, 127))
INFO = LiteModelInfo(
    task="classification",
    input=UINT8,
    output=LiteOutput.of(Scores(("a", "b"), "softmax"), "uint8", Affine(1 / 256, 0)),
    sha256="0" * 64,
    size_bytes=10,
    gzip_bytes=8,
    parameters=3,
    steps=({"component": "train"}, {"component": "quantize", "scheme": "int8"}),
    quantization=QuantizationPlan("int8", "uint8", "uint8"),
)


@pytest.mark.parametrize(
    "info",
    [
        INFO,
        replace(
            INFO,
            input=replace(UINT8, dtype="float32", quantization=None),
            output=LiteOutput.of(Embedding(4), "float32", None),
            quantization=None,
        ),
    ],
)
def test_what_is_written_is_read(tmp_path: Path, info: LiteModelInfo) -> None:
    info.write(tmp_path)
    assert LiteModelInfo.read(tmp_path) == info
    assert LiteModelInfo.from_json(json.loads((tmp_path / "lite.json").read_bytes())) == info


def test_another_schema_and_another_folder_are_the_users_fault(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no LiteModel"):
        LiteModelInfo.read(tmp_path)
    (tmp_path / "lite.json").write_text('{"schema": 0}')
    with pytest.raises(UserError, match="another version"):
        LiteModelInfo.read(tmp_path)


@pytest.mark.parametrize(("dtype", "zero_point", "low"), [("uint8", 127, 0), ("int8", -1, -128)])
def test_levels_of_one_pixel_each_take_the_bytes_as_they_are(
    dtype: str, zero_point: int, low: int
) -> None:
    # The scale as a file holds it, in single precision: a hair off 2 / 255.
    taken = replace(UINT8, dtype=dtype, quantization=Affine(0.007843137718737125, zero_point))
    assert [taken.value(pixel) for pixel in (0, 1, 2, 127, 128, 254, 255)] == [
        low + pixel for pixel in (0, 1, 2, 127, 128, 254, 255)
    ]
    assert taken.takes_pixels


def test_wider_levels_are_told_from_pixels() -> None:
    wide = replace(UINT8, quantization=Affine(0.008, 125))
    assert not wide.takes_pixels
    assert wide.value(0) == 0  # (-1 / 0.008) + 125
    assert wide.value(255) == 250


def test_levels_end_at_the_limits_of_the_type() -> None:
    narrow = replace(UINT8, quantization=Affine(0.004, 127))
    assert narrow.value(0) == 0
    assert narrow.value(255) == 255


def test_a_float_input_takes_normalized_pixels() -> None:
    floats = replace(UINT8, dtype="float32", quantization=None)
    assert (floats.value(0), floats.value(255)) == (-1.0, 1.0)
    assert not floats.takes_pixels
