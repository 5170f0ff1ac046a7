"""Bars: as wide as what they stand for, and told to who does not see them."""

import xml.etree.ElementTree as ET

import pytest

from pipelines.web.bars import gauge, in_order, span_bar, state_bar
from pipelines.web.state_icons import STATES, WORST_FIRST, look_of, state_icon, state_shapes


def rects(drawn):
    return [one for one in ET.fromstring(drawn) if one.tag == "rect"]


def test_states_share_a_bar_what_is_done_first():
    states = ["waiting"] * 6 + ["done"] * 3 + ["odd"]
    assert in_order(states) == [("done", 3), ("waiting", 6), ("odd", 1)]
    drawn = state_bar(states)
    assert ET.fromstring(drawn).get("aria-label") == "10 steps: 3 done, 6 waiting, 1 odd"
    assert [float(one.get("x")) for one in rects(drawn)] == [0, 120, 360]
    assert [float(one.get("width")) for one in rects(drawn)] == [119, 239, 39]


@pytest.mark.parametrize(("share", "width"), [(0.0, 0), (0.25, 100), (7.0, 400), (-1.0, 0)])
def test_a_gauge_is_full_at_most(share, width):
    drawn = gauge(share, "winner", "some of it")
    assert float(rects(drawn)[1].get("width")) == width
    assert ET.fromstring(drawn).get("aria-label") == "some of it"


def test_what_takes_no_time_is_a_mark():
    (mark,) = rects(span_bar(1.0, 1.0, "kept", "at the end"))
    assert float(mark.get("x")) + float(mark.get("width")) <= 400
    assert float(mark.get("width")) > 0


def test_every_state_has_a_shape_of_its_own():
    shapes = ET.fromstring(state_shapes())
    drawn = {one.get("id"): b"".join(ET.tostring(part) for part in one) for one in shapes}
    assert {f"is-{state}" for state in STATES} | {"is-other"} == set(drawn)
    told = [value for key, value in drawn.items() if key not in ("is-broken", "is-other")]
    assert len(set(told)) == len(told)
    assert set(WORST_FIRST) == set(STATES)


def test_a_state_that_is_not_known_is_called_by_its_name():
    assert look_of("odd").word == "odd"
    icon = ET.fromstring(state_icon('"><b>'))
    assert icon.find("use").get("href") == "#is-other"
