"""The pictures of measurements: right places, no overlap, nothing but text in names."""

import xml.etree.ElementTree as ET
from itertools import combinations

import numpy as np
import pytest

from components.pages.charts.latency import Speed, interval_svg, latency_svg
from components.pages.charts.pareto import Point, pareto_svg
from components.pages.charts.recall import recall_svg
from components.pages.charts.roc import Verifier, histogram_svg, roc_svg
from components.pages.charts.svg import NARROW, WIDE, Box, text_width
from components.statistics.bootstrap import Interval
from components.statistics.verification import Pairs
from tests.data.variants import Variant, answers_of

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<script>x</script>&\"'"


def interval(value, spread=0.002):
    return Interval(value, value - spread, value + spread)


POINTS = [
    Point("teacher", 95_000_000, interval(0.97), "reference", on_front=True),
    Point(NASTY, 2_240_000, interval(0.968), "kept", on_front=True),
    Point("student-int8", 780_000, interval(0.967), "winner", on_front=True),
    Point("student-dynamic", 790_000, interval(0.967), "undecided", on_front=False),
    Point("slim", 780_000, interval(0.955), "over-budget", on_front=False),
    Point("gone", 100_000, interval(0.5), "over-budget", on_front=True),
]


def named(drawing):
    """Texts that are names, with the boxes that they take."""
    root = ET.fromstring(drawing)
    return {
        item.text: Box(
            float(item.get("x")), float(item.get("y")) - 11, text_width(item.text) - 4, 14
        )
        for item in root.iter(f"{SVG}text")
        if "name" in (item.get("class") or "")
    }


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_all_names_are_there_and_apart(width):
    drawn = pareto_svg(
        POINTS, metric="ROC-AUC", size_budget_bytes=5_000_000, metric_limit=0.96, width=width
    )
    boxes = named(drawn)
    assert len(boxes) == len(POINTS)
    assert not any(one.overlap(other) for one, other in combinations(boxes.values(), 2))
    assert all(box.x >= 0 and box.right <= width + 4 for box in boxes.values())


def test_the_pareto_picture_says_its_message_in_words():
    root = ET.fromstring(pareto_svg(POINTS, metric="ROC-AUC"))
    description = root.find(f"{SVG}desc").text
    assert (
        "student-int8: 780 kB, 0.967 (0.965 to 0.969), winner, on the Pareto front" in description
    )
    assert root.find(f"{SVG}title").text == "ROC-AUC against size of 6 variants"


def test_what_has_collapsed_does_not_squeeze_the_others():
    drawn = pareto_svg(POINTS, metric="ROC-AUC")
    assert "gone 0.500" in named(drawn)
    assert "0.6" not in [text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")]


def test_smaller_and_better_lie_left_and_up():
    def place(drawn, verdict):
        for group in ET.fromstring(drawn).iter(f"{SVG}g"):
            if group.get("class") == verdict:
                mark = next(iter(group.iter(f"{SVG}circle")))
                return float(mark.get("cx")), float(mark.get("cy"))
        raise AssertionError(verdict)

    points = [
        Point("a", 1_000, interval(0.9), "winner", on_front=True),
        Point("b", 9_000, interval(0.95), "kept", on_front=True),
    ]
    drawn = pareto_svg(points, metric="ROC-AUC")
    assert place(drawn, "winner")[0] < place(drawn, "kept")[0]
    assert place(drawn, "winner")[1] > place(drawn, "kept")[1]
    turned = pareto_svg(points, metric="equal error rate", higher_is_better=False)
    assert place(turned, "winner")[1] < place(turned, "kept")[1]


SPEEDS = [
    Speed("teacher", "host", interval(41.0), 45.0, "reference"),
    Speed(NASTY, "host", interval(0.3), None, "winner"),
    Speed("broken", "host", None, None, "failed", "crashed"),
    Speed("teacher", "pi5", interval(80.0), None, "reference"),
]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_latency_picture_has_a_row_for_everyone(width):
    drawn = latency_svg(SPEEDS, budget_ms=10.0, width=width)
    texts = [text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert {"teacher", "broken", "crashed", "host", "pi5", "41 ms", "0.3 ms"} <= set(texts)
    assert texts.index("0.3 ms") < texts.index("41 ms") < texts.index("crashed")
    assert any(text.startswith("budget 10 ms") for text in texts)


def test_equal_latencies_are_drawn_from_zero():
    same = [Speed(name, "host", Interval(1, 1, 1), None, "kept") for name in "ab"]
    assert "logarithmic" not in latency_svg(same)
    assert "logarithmic" in latency_svg(SPEEDS)


def test_a_bar_is_decoration():
    bar = interval_svg(interval(0.01, 0.005), low=0, high=0.05, limit=0.02, verdict="kept")
    assert ET.fromstring(bar).get("aria-hidden") == "true"


def verifier(name, noise):
    outputs, labels = answers_of(Variant(name, noise=noise), "verification")
    pairs = Pairs.of(outputs, labels, threshold=0.5)
    counts = pairs.histogram()
    return Verifier(
        name, "winner", pairs.roc(), counts["edges"], counts["genuine"], counts["impostor"], 0.5,
        sum(counts["impostor"]),
    )  # fmt: skip


@pytest.mark.parametrize("noise", [0.0, 0.5, 5.0])
def test_curves_of_good_and_bad_verifiers_stay_inside(noise):
    for draw in (roc_svg, histogram_svg):
        drawn = draw([verifier(NASTY, noise), verifier("b", 0.4)])
        root = ET.fromstring(drawn)
        _, _, width, height = map(float, root.get("viewBox").split())
        for path in root.iter(f"{SVG}path"):
            numbers = [
                float(number)
                for word in path.get("d").replace("z", "").replace("h", " 0 ").split()
                for number in word.strip("MLHV").replace("L", " ").split()
                if number.replace(".", "").replace("-", "").isdigit()
            ]
            assert all(-0.01 <= number <= max(width, height) for number in numbers)
        assert draw([verifier("a", noise)]) == draw([verifier("a", noise)])


def test_the_roc_picture_tells_what_it_shows():
    drawn = roc_svg([verifier("a", 0.0)])
    assert "a accepts 1.000 of genuine pairs at a false accept rate of 0.01" in drawn


def test_recall_is_drawn_for_every_class():
    classes = ["bag", NASTY]
    drawn = recall_svg(classes, [0.9, 1.0], [0.8, 0.95], names=("teacher", "small"))
    texts = [text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert {"bag", "teacher", "small"} <= set(texts)
    assert np.all([label in texts or label[:4] in "".join(texts) for label in classes])
