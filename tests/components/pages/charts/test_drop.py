"""The bars of the drop column."""

import xml.etree.ElementTree as ET

from components.pages.charts.drop import interval_svg
from components.statistics.bootstrap import Interval


def test_a_bar_is_decoration():
    drop = Interval(0.01, 0.005, 0.015)
    bar = interval_svg(drop, low=0, high=0.05, limit=0.02, verdict="kept")
    assert ET.fromstring(bar).get("aria-hidden") == "true"
