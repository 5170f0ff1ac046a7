"""The picture of a training: what its words say of the epoch that was kept."""

from dataclasses import replace

from components.artifacts.history import Curve, CurvePoint
from components.pages.charts.training import training_svg

CURVE = Curve("accuracy", (CurvePoint(1, 0.5, 0.9), CurvePoint(2, 0.4, 0.8)), 2, 1, "none", 0.95)


def described(curve):
    return str(training_svg(curve, name="cluster", metric="accuracy", ident="t"))


def test_the_kept_epoch_is_named_and_ringed():
    drawn = described(CURVE)
    assert "epoch 1 kept, accuracy 0.9" in drawn
    assert 'class="ring"' in drawn


def test_where_the_start_was_kept_no_epoch_is_said_to_be():
    drawn = described(replace(CURVE, kept=0))
    assert "all were worse than the start, which was kept" in drawn
    assert "epoch 0" not in drawn
    assert 'class="ring"' not in drawn
