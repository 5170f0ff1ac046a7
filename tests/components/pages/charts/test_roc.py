"""ROC curves and histograms: inside their frame, and told in words."""

import xml.etree.ElementTree as ET

import pytest

from components.pages.charts.roc import Verifier, histogram_svg, roc_svg
from components.statistics.verification import Pairs
from tests.data.variants import Variant, answers_of

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<script>x</script>&\"'"


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
