"""Pages: self-contained, harmless whatever a name holds, and open to everybody."""

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from components.pages.charts.svg import STYLE
from tests.components.flat import publish
from tests.components.test_select import STUDENT, TEACHER, TINY, run
from tests.data.variants import Variant, write_variants

NASTY = "<script>alert(1)</script>\"' onload=x {{ 7*7 }}"
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """The elements of a page with their attributes and, for some, their texts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.stack, "every element is closed"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.stack)))
        if tag not in VOID:
            self.stack.append((tag, dict(attrs)))

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.stack)))

    def handle_endtag(self, tag):
        opened, _ = self.stack.pop()
        assert opened == tag, f"{opened} is closed by {tag}"

    def handle_data(self, data):
        if not any(tag == "style" for tag, _ in self.stack):
            self.texts.append(data)

    def all(self, name):
        return [(attributes, stack) for tag, attributes, stack in self.elements if tag == name]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Every kind of page that there is."""
    root = tmp_path_factory.mktemp("pages")
    nasty = Variant(NASTY, noise=0.55, size_bytes=30_000)
    shaken = Variant("shaken", p50_ms=12.0, disturbed=True)
    dead = Variant("dead", benchmark_crashed=11)
    board = [TEACHER, STUDENT, TINY, nasty, shaken, dead]
    folders = {
        "winner": run(root / "winner", board),
        "devices": run(root / "devices", board, devices=("host", "pi5")),
        "none": run(root / "none", board, drop=0.0, size_mb=0.001),
        "classes": run(root / "classes", board, task="classification"),
        "nasty": run(root / "nasty", [TEACHER, nasty]),
        "no reference": run(root / "crash", [Variant("teacher", crashed=11), STUDENT]),
        "no device": run(root / "no", board[:2], devices=(), latency_ms=None),
    }
    found = {name: folder / "page.html" for name, folder in folders.items()}
    for name, task in (("winner", "verification"), ("classes", "classification"), ("none", None),
                       ("nasty", "verification")):  # fmt: skip
        folder = folders[name]
        pair = [TEACHER, nasty if name == "nasty" else TINY]
        sealed = write_variants(folder / "sealed", pair, task=task or "verification")
        publish(
            [folder / "winner"], [folder / "decision"], [sealed.evaluations[1]], sealed.evaluations[0],
            folder / "release", folder / "card.html", folder / "report.html", name=NASTY,
            metric="accuracy" if task == "classification" else "auc", drop=0.05, resamples=50,
        )  # fmt: skip
        found[f"card of {name}"] = folder / "card.html"
        found[f"report of {name}"] = folder / "report.html"
    return {name: path.read_text() for name, path in found.items()}


KINDS = [
    "winner", "devices", "none", "classes", "nasty", "no reference", "no device",
    "card of winner", "card of classes", "card of none", "card of nasty",
    "report of winner", "report of classes", "report of none", "report of nasty",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_loads_and_runs_nothing(pages, kind):
    page = Page(pages[kind])
    tags = Counter(tag for tag, _, _ in page.elements)
    assert not {"script", "link", "img", "iframe", "object", "form"} & tags.keys()
    for _, attributes, _ in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name not in ("src", "href", "action")
            assert name == "xmlns" or "http" not in (value or "")
    assert "url(" not in pages[kind]
    assert "@import" not in pages[kind]
    ((policy, _),) = [item for item in page.all("meta") if "http-equiv" in item[0]]
    assert policy["content"].startswith("default-src 'none'")


@pytest.mark.parametrize("kind", ["winner", "none", "nasty", "card of nasty", "report of nasty"])
def test_a_name_is_shown_and_nothing_else(pages, kind):
    page = Page(pages[kind])
    assert any(NASTY in text for text in page.texts)
    assert "<script>" not in pages[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_open_to_everybody(pages, kind):
    page = Page(pages[kind])
    assert page.all("html")[0][0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    viewport = [a["content"] for a, _ in page.all("meta") if a.get("name") == "viewport"]
    assert viewport == ["width=device-width, initial-scale=1"]
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes, _ in page.elements:
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)
    for attributes, _ in page.all("th"):
        assert attributes.get("scope") in ("row", "col")
    for attributes, stack in page.all("svg"):
        hidden = any(above.get("aria-hidden") == "true" for _, above in stack)
        assert hidden or attributes.get("aria-hidden") or attributes.get("role") == "img"
        if attributes.get("role") == "img":
            assert attributes["aria-labelledby"]


@pytest.mark.parametrize("kind", KINDS)
def test_all_cells_of_the_leaderboard_have_a_head(pages, kind):
    for table in pages[kind].split("<table")[1:]:
        page = Page(f"<table{table.partition('</table>')[0]}</table>")
        heads = len([a for a, _ in page.all("th") if a["scope"] == "col"])
        rows = len(page.all("tr"))
        cells = len(page.all("td")) + len([a for a, _ in page.all("th") if a["scope"] == "row"])
        assert cells == heads * (rows - 1)


def test_the_leaderboard_says_what_counts(pages):
    text = " ".join(" ".join(Page(pages["winner"]).texts).split())
    for part in (
        "tiny is the smallest of the", "20,000 bytes", "45x smaller than teacher", "budget 0.050",
        "kept the budget, but tiny is smaller (20,000 < 80,000 bytes)", "trivial baseline",
        "raw-pixel cosine", "signal 11 (SIGSEGV)", "disturbed on host", "1 MB is 1,000,000 bytes",
        "made up for tests", "train 100, validation 72, selection 72", "2 fresh processes",
        "resamples of whole identities", "200 µs", "1.5 MB", "teacher is better than",
    ):  # fmt: skip
        assert part in text, part


def test_without_a_winner_the_near_misses_come_first(pages):
    text = " ".join(Page(pages["none"]).texts)
    assert text.index("Nearest misses") < text.index("Leaderboard")
    assert text.index("tiny") < text.index("student")


def test_a_classifier_is_shown_class_by_class(pages):
    text = " ".join(Page(pages["classes"]).texts)
    assert "Recall by class" in text
    assert "ankle boot" in text
    assert "Confusion matrix of tiny" in text
    assert "images are taken for another class." in text
    assert "ROC curves" not in text


def test_every_device_has_its_column(pages):
    text = " ".join(Page(pages["devices"]).texts)
    assert "p50 on host" in text
    assert "p50 on pi5" in text


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(theme):
    light, dark = STYLE.read_text().split("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light if theme == "light" else dark))
    assert len(colours) > 20
    verdicts = ("winner", "kept", "over", "undecided", "failed", "reference")
    for ground in ("sheet", "ground", "raised"):
        for ink in ("ink", "soft", "faint", *verdicts):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for verdict in verdicts:
        assert contrast(colours[verdict], colours[f"{verdict}-tint"]) >= 4.5, verdict
    for ink in ("ink", "soft", "faint"):
        assert contrast(colours[ink], colours["winner-tint"]) >= 4.5, ink
