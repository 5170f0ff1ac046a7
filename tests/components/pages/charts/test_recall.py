"""Recall by class."""

import xml.etree.ElementTree as ET

import numpy as np

from components.pages.charts.recall import recall_svg

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<script>x</script>&\"'"


def test_recall_is_drawn_for_every_class():
    classes = ["bag", NASTY]
    drawn = recall_svg(classes, [0.9, 1.0], [0.8, 0.95], names=("teacher", "small"))
    texts = [text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")]
    assert {"bag", "teacher", "small"} <= set(texts)
    assert np.all([label in texts or label[:4] in "".join(texts) for label in classes])
