"""The report of a run: its verdict at the top, and every section, from what the steps left."""

import json
import re
from dataclasses import replace

import pytest

from components.artifacts.history import LayerError
from components.artifacts.making import Making
from components.artifacts.search_front import (
    Architecture,
    PredictionError,
    SearchFront,
    TrainedFor,
)
from components.contract.errors import UserError
from components.pages import leaderboard
from components.pages.charts.svg import picture, tag
from components.pages.words import sentence
from components.release import writing
from tests.components.flat import publish
from tests.components.pages.drawn import clipped, pictures
from tests.components.pages.test_leaderboard import NASTY, Page
from tests.components.test_select import STUDENT, TEACHER, TINY, run
from tests.data.makings import making, rising, settled
from tests.data.variants import Variant, write_variants

TRAIN = {"component": "train", "backbone": "conv", "alpha": 1.5}
DISTILL = {"component": "distill", "backbone": "conv", "alpha": 0.5}
PRUNE = {"component": "prune", "method": "weights", "sparsity": 0.5, "zeros": 15_000}
QUANTIZE = {"component": "quantize", "scheme": "int8"}
LOWERED = replace(settled(5), lowered_to=2e-4)
LAYERS = (LayerError("first", 0.001, False), LayerError(f"head {NASTY}", 0.02, True))

BOARD = [
    replace(
        TEACHER, steps=(TRAIN,),
        making=making(900_000, curves=(settled(30),), scheme="float32"),
    ),
    replace(
        STUDENT, steps=(TRAIN, DISTILL),
        making=making(80_000, curves=(settled(30), rising()), scheme="float32"),
    ),
    replace(
        TINY, steps=(TRAIN, DISTILL, PRUNE, QUANTIZE),
        making=making(
            20_000, curves=(settled(30), rising(), LOWERED, None), layers=LAYERS,
            outside=("SOFTMAX -> scores", "PRELU -> p"),
        ),
    ),
    Variant("earlier", noise=0.55, size_bytes=30_000),
    Variant("a slow one with a long name", noise=0.52, size_bytes=70_000, p50_ms=9.0, disturbed=True),
]  # fmt: skip


def architecture(name, size, metric, *, front=True, fault=None):
    return Architecture(
        name, {"backbone": "conv"}, 32, {"macs": 1}, {"host": size / 1e6}, size,
        (TrainedFor(80, metric / 2), TrainedFor(320, metric, fault)), front, True,
    )  # fmt: skip


FRONT = SearchFront(
    metric="auc", teacher=0.99, drop=0.02, size_bytes=60_000, latency_ms=1.0, scheme="int8",
    errors={"host": PredictionError(8, 0.069, 0.994, 0.01)}, steps=(80, 320), asked=40,
    outside=25, repeated=3,
    architectures=(
        architecture("conv-8", 12_000.0, 0.96), architecture(f"conv-{NASTY}", 30_000.0, 0.98),
        architecture("worse", 40_000.0, 0.97, front=False),
        architecture("fallen", 50_000.0, 0.0, front=False, fault="its loss was not finite"),
    ),
    chosen=f"conv-{NASTY}", why="it is the smallest that keeps the drop",
)  # fmt: skip


def published(root, sealed_noise=0.53, board=BOARD, *, groups=None, **changes):
    """Select over the board, publish its winner with made-up sealed reports, and return both."""
    out = run(root, board, groups=groups, **changes)
    pair = [board[0], replace(board[2], noise=sealed_noise)]
    sealed = write_variants(root / "sealed", pair, split="sealed", groups=groups)
    publish(
        [out / "winner"], [out / "decision"], [sealed.evaluations[1]], sealed.evaluations[0],
        out / "release", out / "card.html", out / "report.html", name="r", metric="auc",
        drop=changes.get("drop", 0.05), resamples=50,
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    root = tmp_path_factory.mktemp("reports")
    FRONT.write(root / "front")
    return {
        "qualified": published(root / "qualified", search=root / "front"),
        "unqualified": published(root / "unqualified", sealed_noise=2.0),
        "empty": published(root / "empty", drop=0.0, size_mb=0.001),
    }


def text_of(path):
    return " ".join(" ".join(Page(path.read_text()).texts).split())


def state_of(path):
    ((attributes, _),) = Page(path.read_text()).all("body")
    return attributes.get("class")


def banner_of(path):
    return path.read_text().split('class="panel banner')[1].partition("</section>")[0]


def test_the_choice_says_that_the_sealed_verdict_is_not_known_yet(reports):
    page = reports["qualified"] / "page.html"
    assert state_of(page) == "chosen"
    assert "Chosen, not confirmed yet" in text_of(page)
    assert "not known on this page" in banner_of(page)
    assert "qualified" not in banner_of(page)


def test_a_qualified_release_has_the_sealed_verdict_at_its_top(reports):
    report = reports["qualified"] / "report.html"
    manifest = json.loads((reports["qualified"] / "release" / "manifest.json").read_bytes())
    assert manifest["qualified"]
    assert state_of(report) == "qualified"
    banner = banner_of(report)
    assert "Winner, qualified" in banner
    assert "The sealed images confirm it" in banner
    assert "Drop of ROC-AUC, sealed images" in banner
    assert "72 images that nothing saw before" in banner


def test_a_release_that_does_not_qualify_never_reads_as_a_winner(reports):
    report = reports["unqualified"] / "report.html"
    manifest = json.loads((reports["unqualified"] / "release" / "manifest.json").read_bytes())
    assert not manifest["qualified"]
    assert state_of(report) == "unqualified"
    text = text_of(report)
    assert text.index("tiny does not qualify") < text.index("Leaderboard")
    assert text.index("tiny does not qualify") < text.index("What to try next")
    assert "is itself beyond the budget" in text
    (reason, *_) = manifest["reasons"]
    assert f"{reason[0].upper()}{reason[1:]}" in text
    assert not re.search(r">winner<|Winner, qualified", report.read_text())
    assert not re.search(r"\bwinner\b", text), "titles and descriptions of pictures, too"
    assert '<span class="chip">not qualified</span>' in report.read_text()
    style = report.read_text().partition("</style>")[0]
    assert ".unqualified .winner { --tone: var(--failed); --tint: var(--failed-tint); }" in style
    # No rule of a winner's row or banner names the green itself, which that rule could not turn.
    rules = [line for line in style.splitlines() if re.match(r"\s*\.(board|banner)\b", line)]
    assert rules
    assert not [line for line in rules if "var(--winner" in line]


def test_a_verdict_that_is_ignored_turns_these_checks_red(tmp_path, monkeypatch):
    """The mutation: a report that is made as before, without the sealed verdict."""
    monkeypatch.setattr(
        writing, "leaderboard_page", lambda made, material, _: leaderboard.leaderboard_page(
            made, material
        )
    )  # fmt: skip
    out = published(tmp_path, sealed_noise=2.0)
    with pytest.raises(AssertionError):
        test_a_release_that_does_not_qualify_never_reads_as_a_winner({"unqualified": out})


def test_an_empty_release_has_a_report_that_says_what_to_try(reports):
    report = reports["empty"] / "report.html"
    assert state_of(report) == "empty"
    assert "Asked for: at most 0.000 less ROC-AUC, 1 kB and 10 ms median latency" in banner_of(
        report
    )
    text = text_of(report)
    assert text.index("Nearest misses") < text.index("What to try next")
    assert text.index("What to try next") < text.index("Leaderboard")
    assert "binds: all 4 candidates miss it" in text
    content = json.loads((reports["empty"] / "release" / "none.json").read_bytes())
    assert content["next_steps"]
    assert all(sentence(step) in text for step in content["next_steps"])


@pytest.mark.parametrize("name", ["qualified", "unqualified"])
def test_the_report_holds_every_section(reports, name):
    text = text_of(reports[name] / "report.html")
    for part in (
        "The drop, as it is judged", "From weights to download: tiny",
        "distill conv 0.5: weights as float32", "the .tflite file, int8", "the file after brotli",
        "Trainings", "kept: 0.8", "Learning rate lowered to 0.0002: higher ones ruined it.", "What the bytes are there for", "zero points",
        "Files and how they run", "3 in 3 partitions", "outside: SOFTMAX -> scores, PRELU -> p",
        "in float: SOFTMAX -> scores", "cosine 0.9987", "lowest 0.9912",
        "not tried: L2_NORMALIZATION", "Layers of tiny", "in float", "200 µs",
        "Nothing tells how earlier, a slow one with a long name came about", "ROC curves",
    ):  # fmt: skip
        assert part in text, part


def test_what_a_search_found_is_in_the_report_that_is_passed_on(reports):
    for name in ("page.html", "report.html"):
        text = text_of(reports["qualified"] / name)
        for part in (
            "Architecture search", FRONT.why, "conv-8", f"conv-{NASTY}", "taken by distill",
            "0.980", "after 320 steps", "30,000 B", "30 µs", "on host",
            "2 that were trained and are not on the front", "its loss was not finite",
            "40 architectures were proposed; 25 were predicted outside", "median error is 6.9 %",
        ):  # fmt: skip
            assert part in text, part
        drawn = [one for one in pictures((reports["qualified"] / name).read_text())
                 if "architectures" in "".join(one.itertext())]  # fmt: skip
        assert len(drawn) == 2
        assert "Architecture search" not in text_of(reports["unqualified"] / name)


def test_the_trainings_on_the_path_are_shown_once_and_the_others_folded(reports):
    """The teacher's training and the students' are on the path of the winner."""
    page = Page((reports["qualified"] / "report.html").read_text())
    folded = [stack for attributes, stack in page.all("svg") if attributes.get("role") == "img"
              and "training-" in attributes.get("aria-labelledby", "")]  # fmt: skip
    assert len(folded) == 3  # train, distill and prune, though three variants name the first
    assert not any(tag == "details" for stack in folded for tag, _ in stack)


def test_operators_are_named_by_their_layers(tmp_path):
    """Not by all that a converter folded into them, which fills a phone's screen."""
    folded = "CONV_2D -> net/block1_relu/Relu;net/block1_conv/BiasAdd;net/block1_conv/Conv2D1"
    tiny = replace(
        BOARD[2],
        making=making(20_000, curves=(None,), outside=(folded, "QUANTIZE -> tfl.quantize")),
    )
    text = text_of(published(tmp_path, board=[BOARD[0], BOARD[1], tiny]) / "report.html")
    assert "outside: CONV_2D -> block1_relu, QUANTIZE -> tfl.quantize" in text
    assert "BiasAdd" not in text


def test_a_training_is_headed_by_its_whole_step(tmp_path):
    widths = {"component": "distill", "backbone": "conv", "widths": [8, 16, 24]}
    tiny = replace(BOARD[2], steps=(TRAIN, widths, PRUNE, QUANTIZE))
    page = (published(tmp_path, board=[BOARD[0], BOARD[1], tiny]) / "report.html").read_text()
    headings = re.findall(r"<h3>([^<]*)</h3>", page)
    assert "distill conv [8, 16, 24]" in headings
    assert not [one for one in headings if one.endswith("]") and "[" not in one]


def test_every_name_is_escaped_in_every_picture(tmp_path):
    nasty = replace(
        BOARD[2], steps=(TRAIN, {**DISTILL, "backbone": NASTY}, PRUNE, QUANTIZE), name=NASTY,
        making=making(20_000, curves=(rising(), rising(5), None, None), layers=LAYERS,
                      outside=(f"SOFTMAX -> {NASTY}",)),
    )  # fmt: skip
    out = published(tmp_path, board=[BOARD[0], BOARD[1], nasty])
    for name in ("page.html", "report.html"):
        page = (out / name).read_text()
        assert "<script>" not in page
        assert any(NASTY in text for text in Page(page).texts)


def test_no_text_of_a_picture_is_clipped(reports):
    for out in reports.values():
        for name in ("page.html", "report.html"):
            drawn = pictures((out / name).read_text())
            assert len(drawn) > 10
            for one in drawn:
                assert not clipped(one), one[0].text


def test_bars_tell_what_keeps_its_budget_from_what_does_not(reports):
    """The file of the release that does not qualify is small enough; its drop is what is wrong."""
    for name, over in (("qualified", []), ("unqualified", ["Drop of ROC-AUC, sealed images"])):
        banner = banner_of(reports[name] / "report.html")
        tiles = banner.split('<div class="tile">')[1:]
        found = [re.search("<dt>(.*)</dt>", tile) for tile in tiles if '"gauge over"' in tile]
        assert [title and title[1] for title in found] == over
        assert any('"gauge"' in tile and "<dt>File</dt>" in tile for tile in tiles)


@pytest.mark.parametrize(("name", "least"), [("report.html", 3), ("card.html", 1)])
def test_every_table_becomes_a_list_on_phones(reports, name, least):
    """A table of class board does; every cell of it then says what it is."""
    page = Page((reports["qualified"] / name).read_text())
    tables = page.all("table")
    assert len(tables) >= least
    assert all("board" in attributes.get("class", "") for attributes, _ in tables)
    for attributes, stack in page.all("td"):
        inside = any("board" in above.get("class", "") for _, above in stack)
        assert inside
        assert "data-label" in attributes or attributes["class"] in ("why", "number"), attributes


def test_the_select_of_an_earlier_version_leaves_nothing_to_report(tmp_path):
    out = run(tmp_path, BOARD)
    assert Making.of(out / "winner") == BOARD[2].making
    (out / "decision" / "report.json").unlink()
    sealed = write_variants(tmp_path / "sealed", [BOARD[0], BOARD[2]], split="sealed")
    arguments = (
        [out / "winner"], [out / "decision"], [sealed.evaluations[1]], sealed.evaluations[0],
        out / "release", out / "card.html", out / "report.html",
    )  # fmt: skip
    with pytest.raises(UserError, match=r"report\.json") as fault:
        publish(*arguments, name="r", metric="auc", drop=0.05, resamples=50)
    assert fault.value.fix == "run select again"
    run(tmp_path / "again", BOARD)
    again = tmp_path / "again" / "out"
    publish(
        [again / "winner"], [again / "decision"], *arguments[2:], name="r", metric="auc", drop=0.05,
        resamples=50,
    )  # fmt: skip
    assert (out / "report.html").is_file()


def test_a_clipped_text_is_found():
    drawn = picture(
        tag("text", "beyond the edge", x=300, y=10), tag("text", "inside", x=5, y=10),
        ident="p", size=(350, 20), title="T", description="D",
    )  # fmt: skip
    assert [text for text, *_ in clipped(pictures(drawn)[0])] == ["beyond the edge"]
