import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from components.pages.charts.svg import Box, picture, shorten, standalone, tag, text_width

NASTY = '<script>alert("x")</script>&\'\x00\x1b]]>'


def test_texts_and_attributes_are_escaped_once():
    drawn = tag("g", tag("text", NASTY, class_=NASTY), tag("title", "a < b"))
    parsed = ET.fromstring(drawn)
    text, title = parsed
    assert text.text == NASTY.replace("\x00", "\ufffd").replace("\x1b", "\ufffd")
    assert text.get("class") == text.text
    assert title.text == "a < b"
    assert len(parsed) == 2


@given(st.text(), st.text())
def test_whatever_a_name_holds_the_picture_is_well_formed(name, title):
    drawn = picture(tag("text", name), ident="p", size=(10, 20.5), title=title, description=name)
    for text in (drawn, standalone(drawn)):
        root = ET.fromstring(text)
        assert root.tag.endswith("svg")
        assert {child.tag.rpartition("}")[2] for child in root} <= {
            "title", "desc", "text", "style", "rect",
        }  # fmt: skip


def test_a_picture_is_read_out():
    root = ET.fromstring(picture(ident="p", size=(1, 1), title="T", description="D"))
    assert root.get("role") == "img"
    ids = {child.get("id"): child.text for child in root}
    assert [ids[name] for name in root.get("aria-labelledby").split()] == ["T", "D"]


def test_a_picture_that_stands_alone_has_size_and_both_themes():
    text = standalone(picture(ident="p", size=(100, 50), title="T", description="D"))
    root = ET.fromstring(text)
    assert (root.get("width"), root.get("height")) == ("128", "78")
    assert "prefers-color-scheme: dark" in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_numbers_are_short_and_the_same_everywhere():
    assert tag("a", x=1 / 3, y=-0.0001, z=2.0, none=None) == '<a x="0.33" y="0" z="2"/>'


@given(st.text(max_size=60), st.floats(30, 300))
def test_a_shortened_text_fits(text, width):
    cut = shorten(text, width)
    assert cut == text or text_width(cut) <= width
    assert cut == text or cut == "\u2026" or (cut[0] == text[0] and "\u2026" in cut)


def test_boxes():
    box = Box(0, 0, 10, 10)
    assert box.overlap(Box(5, 5, 10, 10)) == 25
    assert box.overlap(Box(10, 0, 10, 10)) == 0
    assert Box(1, 1, 9, 9).inside(box)
    assert not Box(1, 1, 10, 9).inside(box)
