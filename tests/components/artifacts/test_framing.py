"""Framing says to an app, in words, what ingest does."""

import pytest

from components.artifacts.framing import Framing

SIZE = "112 rows and 92 columns"


@pytest.mark.parametrize(
    ("framing", "words"),
    [
        (Framing(), f"Scale the image to {SIZE}."),
        (
            Framing(fit="crop"),
            (
                "Cut the largest part with the proportions 112 to 92 out of the middle of the image "
                f"and scale it to {SIZE}."
            ),
        ),
        (
            Framing(fit="pad", background="#0a141e"),
            (
                "Put the colour 10, 20, 30 (red, green, blue) behind what is transparent. Scale the "
                f"image, keeping its proportions, to the largest size that fits into {SIZE}, put it in "
                "their middle and fill the rest with the colour 10, 20, 30 (red, green, blue)."
            ),
        ),
        (
            Framing(crop=[50, 60, 150, 130]),
            (
                "Cut out 150 rows from row 50 on and 130 columns from column 60 on, counted from 0. "
                f"Scale the image to {SIZE}."
            ),
        ),
    ],
)
def test_it_says_what_an_app_has_to_do(framing, words):
    assert framing.in_words(112, 92) == words


@pytest.mark.parametrize(
    ("colour", "rgb"),
    [("white", (255,) * 3), ("grey", (128,) * 3), ("black", (0,) * 3), ("#FF0010", (255, 0, 16))],
)
def test_colours(colour, rgb):
    assert Framing(background=colour).background_rgb == rgb
