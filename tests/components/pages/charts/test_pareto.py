"""The Pareto picture: right places, no overlap, nothing but text in names."""

import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from components.pages.charts.pareto import pareto_svg
from components.pages.charts.pareto_parts import BudgetLines, CostAxis, Exploring, MetricAxis, Point
from components.pages.charts.svg import NARROW, WIDE, Box, text_width
from components.statistics.bootstrap import Interval
from tests.data.candidates import measured

SVG = "{http://www.w3.org/2000/svg}"
AUC = MetricAxis("ROC-AUC")
NASTY = "<script>x</script>&\"'"


def point(name, size_bytes, value, verdict, *, on_front):
    variant = measured(name, size_bytes=size_bytes, verdict=verdict, on_front=on_front)
    return Point(variant, Interval(value, value - 0.002, value + 0.002))


POINTS = [
    point("teacher", 95_000_000, 0.97, "reference", on_front=True),
    point(NASTY, 2_240_000, 0.968, "kept", on_front=True),
    point("student-int8", 780_000, 0.967, "winner", on_front=True),
    point("student-dynamic", 790_000, 0.967, "undecided", on_front=False),
    point("slim", 780_000, 0.955, "over-budget", on_front=False),
    point("gone", 100_000, 0.5, "over-budget", on_front=True),
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
    drawn = pareto_svg(POINTS, AUC, limits=BudgetLines(5_000_000, 0.96), width=width)
    boxes = named(drawn)
    assert len(boxes) == len(POINTS)
    assert not any(one.overlap(other) for one, other in combinations(boxes.values(), 2))
    assert all(box.x >= 0 and box.right <= width + 4 for box in boxes.values())


def test_the_pareto_picture_says_its_message_in_words():
    root = ET.fromstring(pareto_svg(POINTS, AUC))
    description = root.find(f"{SVG}desc").text
    assert (
        "student-int8: 780 kB, 0.967 (0.965 to 0.969), winner, on the Pareto front" in description
    )
    assert root.find(f"{SVG}title").text == "ROC-AUC against size of 6 variants"


def test_what_has_collapsed_does_not_squeeze_the_others():
    drawn = pareto_svg(POINTS, AUC)
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
        point("a", 1_000, 0.9, "winner", on_front=True),
        point("b", 9_000, 0.95, "kept", on_front=True),
    ]
    drawn = pareto_svg(points, AUC)
    assert place(drawn, "winner")[0] < place(drawn, "kept")[0]
    assert place(drawn, "winner")[1] > place(drawn, "kept")[1]
    turned = pareto_svg(points, MetricAxis("equal error rate", higher_is_better=False))
    assert place(turned, "winner")[1] < place(turned, "kept")[1]


def axis_of(drawn, name):
    """Where numbers lie on an axis, as the picture says it to whoever moves a budget."""
    plot = next(
        one for one in ET.fromstring(drawn).iter(f"{SVG}rect") if one.get("class") == "plot"
    )
    return [float(number) for number in plot.get(f"data-{name}").split()]


def test_moved_budgets_leave_the_axes_and_the_marks_where_they_are():
    def drawn(moved):
        return pareto_svg(
            POINTS,
            AUC,
            limits=BudgetLines(5_000_000, 0.96),
            exploring=Exploring(BudgetLines(*moved)),
        )

    def marks(picture):
        return [
            ET.tostring(group)
            for group in ET.fromstring(picture).iter(f"{SVG}g")
            if group.get("data-variant")
        ]

    one, other = drawn((5_000_000, 0.96)), drawn((900_000, 0.965))
    assert len(marks(one)) == len(POINTS)
    assert marks(one) == marks(other)
    assert axis_of(one, "cost") == axis_of(other, "cost")
    assert "budget 900 kB" in other


def test_other_costs_have_their_own_words_and_whiskers():
    points = [
        Point(one.variant, one.metric, Interval(0.1 * place, 0.09 * place, 0.12 * place))
        for place, one in enumerate(POINTS, 1)
    ]
    axis = CostAxis("median latency on host", "latency on host", lambda value: f"{value:g} ms")
    root = ET.fromstring(pareto_svg(points, AUC, axis, BudgetLines(cost=0.5)))
    assert root.find(f"{SVG}title").text == "ROC-AUC against latency on host of 6 variants"
    assert root.find(f"{SVG}desc").text.startswith("Latency on host and ROC-AUC")
    whiskers = [path for path in root.iter(f"{SVG}path") if path.get("class") == "whisker"]
    assert len(whiskers) == 2 * (len(POINTS) - 1)  # the one that collapsed is an arrow


def test_the_variant_that_is_looked_at_stands_out():
    drawn = pareto_svg(POINTS, AUC, exploring=Exploring(BudgetLines(), shown=NASTY))
    shown = [
        group.get("data-variant")
        for group in ET.fromstring(drawn).iter(f"{SVG}g")
        if "is-shown" in (group.get("class") or "")
    ]
    assert shown == [NASTY]
