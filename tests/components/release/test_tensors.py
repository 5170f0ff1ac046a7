from dataclasses import replace

import pytest

from components.artifacts.framing import Framing
from components.artifacts.lite_model import Affine, LiteInput, LiteModelInfo, LiteOutput
from components.artifacts.model import Embedding, Scores
from components.release.tensors import input_of, output_of

PIXELS = LiteInput(112, 92, 1, 127.5, 127.5, "float32", None)


@pytest.mark.parametrize(
    ("given", "formula"),
    [
        (PIXELS, "Feed (pixel - 127.5) / 127.5 as float32."),
        (replace(PIXELS, mean=0.0, scale=58.3953), "Feed (pixel - 0) / 58.3953 as float32."),
        (
            replace(PIXELS, dtype="uint8", quantization=Affine(1 / 127.5, 127)),
            "Feed its pixels as they are, as uint8.",
        ),
        (
            replace(PIXELS, dtype="int8", quantization=Affine(1 / 127.5, -1)),
            "Feed pixel - 128 as int8.",
        ),
        (
            replace(PIXELS, dtype="int8", quantization=Affine(0.01, 3)),
            (
                "Feed floor((pixel - 127.5) / 127.5 / 0.01 + 3 + 0.501), no lower than -128 and no "
                "higher than 127, as int8."
            ),
        ),
    ],
)
def test_the_formula_says_what_to_feed(given, formula):
    written = input_of(given, Framing())
    assert written["formula"] == f"Scale the image to 112 rows and 92 columns. {formula}"
    assert written["shape"] == [1, 112, 92, 1]
    assert written["takes_pixels"] == given.takes_pixels


def test_an_app_is_told_how_images_become_the_models_size():
    assert "framing" not in input_of(PIXELS, Framing())
    framing = Framing(fit="crop", crop=[50, 60, 150, 130])
    written = input_of(PIXELS, framing)
    assert written["framing"] == {
        "fit": "crop", "crop": [50, 60, 150, 130], "background": "white",
    }  # fmt: skip
    assert written["formula"] == (
        f"{framing.in_words(112, 92)} Feed (pixel - 127.5) / 127.5 as float32."
    )


@pytest.mark.parametrize("zero_point", [-128, -1, 0, 5])
@pytest.mark.parametrize("scale", [1 / 127.5, 0.0078, 0.02])
def test_the_numbers_give_what_the_info_computes(scale, zero_point):
    given = replace(PIXELS, dtype="int8", quantization=Affine(scale, zero_point))
    levels, normal = (
        input_of(given, Framing())["quantization"],
        input_of(given, Framing())["normalization"],
    )
    for pixel in range(256):
        value = (pixel - normal["mean"]) / normal["scale"]
        level = value / levels["scale"] + levels["zero_point"] + levels["rounding"]
        fed = min(max(int(level // 1), levels["lowest"]), levels["highest"])
        assert fed == given.value(pixel)


def test_two_embeddings_are_compared_by_the_threshold():
    written = output_of(LiteOutput.of(Embedding(128), "float32", None), 0.41)
    assert written["compare"]["threshold"] == 0.41
    assert "when it is 0.41 or more" in written["compare"]["rule"]
    assert (
        "Choose one on images"
        in output_of(LiteOutput.of(Embedding(128), "float32", None), None)["compare"]["rule"]
    )


@pytest.mark.parametrize(("activation", "word"), [("softmax", "probabilities"), ("none", "logits")])
def test_scores_have_labels(activation, word):
    head = LiteOutput.of(Scores(("cat", "dog"), activation), "uint8", Affine(1 / 256, 0))
    written = output_of(head, None)
    assert written["labels"] == ["cat", "dog"]
    assert word in written["read"]
    assert written["formula"] == "The real numbers are (number - 0) * 0.00390625."
    assert "compare" not in written


def test_the_info_of_a_file_is_what_the_fixtures_write(tmp_path):
    from tests.data.variants import Variant, write_lite

    assert write_lite(tmp_path / "lite", Variant("a")) == LiteModelInfo.read(tmp_path / "lite")
