"""The latency picture: a row for everyone."""

import xml.etree.ElementTree as ET

import pytest

from components.artifacts.decision import Timing
from components.pages.charts.latency import Speed, latency_svg
from components.pages.charts.svg import NARROW, WIDE
from components.statistics.bootstrap import Interval
from tests.data.candidates import measured

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<script>x</script>&\"'"


def interval(value):
    return Interval(value, value - 0.002, value + 0.002)


def timing(p50_ms, p90_ms=None, verdict="stable"):
    return Timing(p50_ms, p90_ms, None, None, verdict, "")


def speed(name, device, timed, verdict):
    return Speed(measured(name, latency={device: timed}, verdict=verdict), device)


SPEEDS = [
    speed("teacher", "host", timing(interval(41.0), interval(45.0)), "reference"),
    speed(NASTY, "host", timing(interval(0.3)), "winner"),
    speed("broken", "host", timing(None, verdict="crashed"), "failed"),
    speed("teacher", "pi5", timing(interval(80.0)), "reference"),
]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_latency_picture_has_a_row_for_everyone(width):
    drawn = latency_svg(SPEEDS, budgets_ms={speed.device: 10.0 for speed in SPEEDS}, width=width)
    texts = [text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert {"teacher", "broken", "crashed", "host", "pi5", "41 ms", "300 µs"} <= set(texts)
    assert texts.index("300 µs") < texts.index("41 ms") < texts.index("crashed")
    assert any(text.startswith("budget 10 ms") for text in texts)


def test_equal_latencies_are_drawn_from_zero():
    same = [speed(name, "host", timing(Interval(1, 1, 1)), "kept") for name in "ab"]
    assert "logarithmic" not in latency_svg(same)
    assert "logarithmic" in latency_svg(SPEEDS)
