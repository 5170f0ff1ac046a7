"""Where the texts of a page's pictures lie."""

import re
import xml.etree.ElementTree as ET

from components.pages.charts.svg import text_width

SVG = "{http://www.w3.org/2000/svg}"
_PICTURE = re.compile(
    r"<svg [^>]*viewBox=\"0 0 [^>]*class=\"picture\"[^>]*role=\"img\".*?</svg>", re.DOTALL
)
_SMALL = {"note", "budget-note"}


def pictures(page):
    """Every picture of a page, parsed."""
    return [ET.fromstring(text) for text in _PICTURE.findall(page)]


def clipped(picture):
    """The texts of a picture that leave it, with where they lie."""
    _, _, width, height = map(float, picture.get("viewBox").split())
    found = []
    for text in picture.iter(f"{SVG}text"):
        size = 11 if _SMALL & {*(text.get("class") or "").split()} else 12
        length = text_width(text.text or "", size)
        x, y = float(text.get("x")), float(text.get("y"))
        start = x - {"end": length, "middle": length / 2}.get(text.get("text-anchor"), 0)
        if start < -8 or start + length > width + 8 or not 0 <= y <= height:
            found.append((text.text, round(start), round(start + length), y, (width, height)))
    return found
