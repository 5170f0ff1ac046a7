"""The page beside other tools says what was measured, what failed, and where slimline loses."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts.evaluation import Evaluation
from components.contract.errors import UserError
from components.statistics.bootstrap import Interval
from docs import peers as page
from docs.peer_results import PARTS, PUBLISHED, RESULTS, SLIMLINE, MeasuredFile, PartResult
from tests.data.variants import Variant, write_evaluation

GOOD, WORSE, BAD = 0.9, 1.3, 4.0
"""Noise in the answers: accuracies fall."""


def file_of(folder: Path, name: str, noise: float, size: int, ms: float, **more: object) -> MeasuredFile:  # fmt: skip
    """A file whose answers lie in a folder, as a part keeps it."""
    evaluation = f"evaluation-{name.replace(', ', '-')}"
    write_evaluation(
        folder / evaluation, Variant(name, noise), task="classification", split="sealed"
    )
    accuracy = Evaluation.read(folder / evaluation).metrics["accuracy"]
    told = {
        "runtime": "ai-edge-litert 2.3.0",
        "gzip_bytes": size - 1000,
        "timing": "stable",
        "p50_ms": Interval(ms, ms * 0.98, ms * 1.02),
        "evaluation": evaluation,
        **more,
    }
    return MeasuredFile(name=name, size_bytes=size, accuracy=accuracy, **told)


class Kept:
    """A folder as ``make peers`` leaves it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, part: str, *files: tuple, error: str = "", steps: int | None = None) -> None:
        place = self.folder / RESULTS / part
        found = tuple(file_of(place, *given, **more) for *given, more in files)
        PartResult(
            part=part, title=PARTS[part], key="k", error=error, steps=steps, date="2026-11-26",
            machine="a CPU", install_s=60.0, made_s=8.0, versions={"nncf": "3.4.0"}, files=found,
        ).keep(place)  # fmt: skip

    def slimline(self, *variants: tuple) -> None:
        self.put(SLIMLINE, ("teacher", GOOD, 300_000, 0.5, {}), *variants)

    @property
    def text(self) -> str:
        return page.figures(page.read(self.folder), self.folder)

    def line(self, start: str) -> str:
        (found,) = [line for line in self.text.splitlines() if line.startswith(start)]
        return found


FRONT = {"on_front": True}
WON = {**FRONT, "winner": True}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_the_table_has_every_part_also_those_that_failed_or_were_not_run(kept: Kept) -> None:
    kept.slimline(("small", GOOD, 40_000, 0.2, WON))
    kept.put("nncf", error="pip install ended with code 1: no | such <thing>")
    row = kept.line("| slimline | **small** (winner)")
    assert "| 40,000 | 39,000 |" in row
    assert "| 0.000 (0.000 to 0.000) | 200 µs | ai-edge-litert 2.3.0 |" in row, "paired"
    assert "failed: pip install ended with code 1: no / such &lt;thing&gt;" in kept.line("| NNCF |")
    assert "not run yet: `make peers ONLY=tfmot-qat`" in kept.line("| TFMOT quantization")
    for title in PARTS.values():
        assert f"| {title} |" in kept.text


def test_a_file_that_does_not_run_is_listed_with_the_reason(kept: Kept) -> None:
    kept.slimline(("small", GOOD, 40_000, 0.2, WON))
    gone = {"accuracy": None, "failure": "LiteRT does not load it"}
    kept.put("nncf", ("teacher, int8", GOOD, 90_000, 0.2, {}))
    place = kept.folder / RESULTS / "nncf"
    result = PartResult.read(place)
    replace(result, files=(replace(result.files[0], **gone),)).keep(place)
    assert "not measured: LiteRT does not load it" in kept.line("| NNCF | teacher, int8")
    assert "not compared" in kept.line("- NNCF, teacher, int8")


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ((GOOD, 40_000, 0.2), "**dominated**: `mine` with 40,000 bytes"),
        ((GOOD, 90_000, 0.3), "**equalled**"),  # all alike
        ((GOOD, 90_001, 0.2), "neither dominates nor equals it**: no variant on the front has at most 90,000"),
        ((GOOD, 40_000, 0.4), "neither dominates nor equals it**: of the variants that are no larger, those as accurate are slower"),
        ((BAD, 40_000, 0.2), "neither dominates nor equals it**: of the variants that are no larger, the most accurate is `mine`"),
    ],
)  # fmt: skip
def test_what_the_front_is_against_a_file(kept: Kept, variant: tuple, said: str) -> None:
    kept.slimline(("mine", *variant, FRONT))
    kept.put("nncf", ("teacher, int8", GOOD, 90_000, 0.3, {}))
    assert said in kept.line("- NNCF, teacher, int8")


def test_a_variant_off_the_front_does_not_count(kept: Kept) -> None:
    kept.slimline(("mine", GOOD, 40_000, 0.2, {}), ("other", BAD, 50_000, 0.4, FRONT))
    kept.put("nncf", ("teacher, int8", GOOD, 90_000, 0.3, {}))
    assert "neither dominates nor equals it" in kept.line("- NNCF, teacher, int8")


def test_without_a_front_nothing_is_claimed(kept: Kept) -> None:
    kept.slimline(("mine", GOOD, 40_000, 0.2, {}))
    assert "No file of another tool is there yet" in kept.text
    kept.put("nncf", ("teacher, int8", GOOD, 90_000, 0.3, {}))
    assert "Not compared: slimline's run found no front" in kept.text
    assert "- NNCF" not in kept.text


def test_what_is_lost_stands_first(kept: Kept) -> None:
    kept.slimline(("mine", WORSE, 40_000, 0.2, FRONT))
    kept.put("nncf", ("worse", BAD, 90_000, 0.3, {}), ("smaller", GOOD, 30_000, 0.1, {}))
    lines = [line for line in kept.text.splitlines() if line.startswith("- NNCF")]
    assert ["smaller" in lines[0], "worse" in lines[1]] == [True, True]


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ((GOOD, 49_248, 0.2, WON), "Reached: it asks for a file of at most 49,248 bytes"),
        ((GOOD, 49_249, 0.2, WON), "Not reached: it asks for"),
        ((BAD, 40_000, 0.2, WON), "Not reached: it asks for"),
        ((GOOD, 40_000, 0.2, FRONT), "Not reached: slimline's run has no winner"),
    ],
)
def test_the_goal_is_judged_by_the_winner_alone(kept: Kept, variant: tuple, said: str) -> None:
    kept.slimline(("mine", *variant))
    kept.put(PUBLISHED, ("their int8 file", GOOD, 98_496, 0.2, {}))
    assert said in kept.line("**The goal.**")


def test_without_the_published_file_the_goal_is_not_known(kept: Kept) -> None:
    kept.slimline(("mine", GOOD, 40_000, 0.2, WON))
    assert f"`make peers ONLY={PUBLISHED}`" in kept.line("**The goal.**")


def test_disturbed_timings_and_other_machines_are_told(kept: Kept) -> None:
    kept.slimline(("mine", GOOD, 40_000, 0.2, {**WON, "timing": "disturbed"}))
    kept.put("nncf", ("teacher, int8", GOOD, 90_000, 0.3, {}))
    assert "Other load disturbed the timing of slimline, mine" in kept.text
    assert "not comparable" not in kept.text
    place = kept.folder / RESULTS / "nncf"
    replace(PartResult.read(place), machine="another CPU").keep(place)
    assert "Times of different machines are not comparable" in kept.text


def test_a_trial_never_reaches_the_page(kept: Kept, tmp_path: Path) -> None:
    kept.slimline(("mine", GOOD, 40_000, 0.2, WON))
    kept.put("nncf", ("teacher, int8", GOOD, 90_000, 0.3, {}), steps=20)
    before = page.PAGE.read_bytes()
    with pytest.raises(UserError, match="short trial"):
        page.write(kept.folder, page.PAGE)
    assert page.PAGE.read_bytes() == before
    written = page.write(kept.folder, tmp_path / "trial.md").read_text()
    assert "its figures say nothing" in written
    assert written.partition(page.BEGIN)[0] == before.decode().partition(page.BEGIN)[0]


def test_without_slimlines_part_there_is_no_page(kept: Kept, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    kept.put("nncf", ("teacher, int8", GOOD, 90_000, 0.3, {}))
    given = [str(kept.folder), "--page", str(tmp_path / "page.md")]
    assert page.main(given) == 2
    assert "make peers ONLY=slimline" in capsys.readouterr().err
    kept.slimline(("mine", GOOD, 40_000, 0.2, WON))  # the fix
    assert page.main(given) == 0
    assert "| NNCF | teacher, int8 |" in (tmp_path / "page.md").read_text()


def test_the_page_takes_figures_and_keeps_the_rest() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    changed = page.written(text, "| a | b |")
    assert "\n| a | b |\n" in changed
    assert page.written(changed, "other") == page.written(text, "other")
    with pytest.raises(AssertionError, match="no mark"):
        page.written("no marks", "figures")


def test_the_page_names_the_parts_and_what_runs_them() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    makefile = (page.PAGE.parents[1] / "Makefile").read_text()
    assert "\npeers:" in makefile
    for option in ("ONLY", "STEPS"):
        assert f"{option}=" in text
        assert f"$({option})" in makefile
