"""The confusion matrix and its worst pairs: inside their frame, and told in words."""

import xml.etree.ElementTree as ET

import pytest

from components.pages.charts.confusion import Confused, confusion_svg, confusions_svg

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<script>x</script>&\"'"


@pytest.mark.parametrize("count", [1, 3, 50])
def test_a_matrix_stays_in_its_frame_and_names_the_worst(count):
    classes = [f"class {n}" for n in range(count - 1)] + [NASTY]
    counts = [[9 if row == column else row * column % 3 for column in range(count)]
              for row in range(count)]  # fmt: skip
    root = ET.fromstring(confusion_svg(classes, counts, name=NASTY))
    _, _, width, height = map(float, root.get("viewBox").split())
    cells = [cell for cell in root.iter(f"{SVG}rect") if cell.get("class") == "bar"]
    assert len(cells) == sum(bool(number) for line in counts for number in line)
    for cell in cells:
        assert 0 <= float(cell.get("x")) <= float(cell.get("x")) + float(cell.get("width")) <= width
        assert float(cell.get("y")) + float(cell.get("height")) <= height
    described = root.find(f"{SVG}desc").text
    assert ("No image is taken" in described) == (count == 1)
    if count == 3:
        assert "class 1 taken for class 1" not in described
        assert f"class 1 taken for {NASTY}: 2 of 11 images (0.182)" in described


def test_pairs_are_bars_with_their_counts():
    pairs = [Confused("cat", NASTY, 1234, 2000), Confused("cat", "dog", 1, 2000)]
    root = ET.fromstring(confusions_svg(pairs, name="small"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"1,234 of 2,000", "1 of 2,000"} <= set(texts)
    widths = [float(bar.get("width")) for bar in root.iter(f"{SVG}rect")]
    assert widths[0] > 100 * widths[1] / 2 >= 0.5
    assert "cat taken for dog: 1 of 2,000 images" in root.find(f"{SVG}desc").text
    ET.fromstring(confusions_svg([], name="right"))
