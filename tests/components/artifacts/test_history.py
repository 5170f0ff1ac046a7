"""What a Model keeps of its trainings: little, and the epochs that matter."""

from components.artifacts.history import POINTS, Curve, CurvePoint, thinned
from components.artifacts.model import Embedding, ImageInput, ModelInfo


def points(count, validated=lambda epoch: True):
    return [
        CurvePoint(epoch, 1 / epoch, 0.5 if validated(epoch) else None)
        for epoch in range(1, count + 1)
    ]


def test_a_short_training_is_kept_whole():
    assert [point.epoch for point in thinned(points(20), 7)] == list(range(1, 21))


def test_a_long_one_keeps_its_first_last_and_kept_epoch():
    chosen = thinned(points(1000, lambda epoch: epoch % 50 == 0), 333)
    epochs = [point.epoch for point in chosen]
    assert len(epochs) <= POINTS
    assert epochs == sorted(set(epochs))
    assert {1, 333, 1000} <= set(epochs)
    assert sum(point.validation is not None for point in chosen) >= POINTS - 4


def test_numbers_are_short():
    (point,) = thinned([CurvePoint(1, 1 / 3, 2 / 3)], 1)
    assert (point.loss, point.validation) == (0.333333, 0.666667)


def test_facts_follow_the_steps_of_a_model(tmp_path):
    curve = Curve("auc", thinned(points(3), 2), 3, 2, "none")
    info = ModelInfo("verification", ImageInput(8, 8, 1), Embedding(16), 0)
    trained = info.after({"component": "train"}, curve=curve).counted(100)
    pruned = trained.after({"component": "prune"}, curve=curve).counted(40)
    planned = pruned.after({"component": "quantize"})
    assert [(facts.step, facts.parameters) for facts in planned.history] == [
        (0, 100), (1, 40), (2, 40),
    ]  # fmt: skip
    assert (pruned.parameters, planned.history[2].curve) == (40, None)
    student = info.on_top_of(trained).after({"component": "distill"}, curve=curve).counted(7)
    assert [facts.parameters for facts in student.history] == [100, 7]
    assert len(student.steps) == 2
    planned.write(tmp_path)
    assert ModelInfo.read(tmp_path) == planned
