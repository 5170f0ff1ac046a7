"""The picture of a training: what its words say of the epoch that was kept."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from components.artifacts.history import Curve, CurvePoint
from components.pages.charts.training import training_svg

CURVE = Curve("accuracy", (CurvePoint(1, 0.5, 0.9), CurvePoint(2, 0.4, 0.8)), 2, 1, "none", 0.95)


def described(curve):
    return str(training_svg(curve, name="cluster", metric="accuracy", ident="t"))


def test_the_kept_epoch_is_named_and_ringed():
    drawn = described(CURVE)
    assert "epoch 1 kept, accuracy 0.9" in drawn
    assert 'class="ring"' in drawn


def test_ticks_of_a_narrow_range_differ():
    """Rounded to three digits, 0.9925 would stand as 0.993 and 0.9945 as 0.995."""
    values = (0.9875, 0.9901, 0.9925, 0.9951)
    points = tuple(CurvePoint(n, 1.0 / n, value) for n, value in enumerate(values, 1))
    root = ET.fromstring(described(Curve("auc", points, 4, 4, "none")))
    texts = [text for text in root.iter("{http://www.w3.org/2000/svg}text") if text.text]
    heights = {text.text: float(text.get("y")) for text in texts
               if re.fullmatch(r"0\.9\d+", text.text)}  # fmt: skip
    assert "0.9925" in heights
    steps = [(heights["0.99"] - y) / (float(text) - 0.99) for text, y in heights.items()
             if text != "0.99"]  # fmt: skip
    assert steps == pytest.approx([steps[0]] * len(steps), rel=0.01), heights


def test_where_the_start_was_kept_no_epoch_is_said_to_be():
    drawn = described(replace(CURVE, kept=0))
    assert "all were worse than the start, which was kept" in drawn
    assert "epoch 0" not in drawn
    assert 'class="ring"' not in drawn
