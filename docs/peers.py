"""The page ``peers.md``: slimline beside other tools, from what ``make peers`` has kept.

``python -m docs.peers [FOLDER]`` writes the table of the results in a folder between the marks of
the page; what stands outside of them is written by hand.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from components.contract.errors import UserError
from components.statistics.quantities import short_time
from docs.peer_comparison import Entry, interval, verdict_on
from docs.peer_results import PARTS, PUBLISHED, RESULTS, SLIMLINE, PartResult

PAGE = Path(__file__).with_name("peers.md")
FOLDER = PAGE.parents[1] / "build" / "peers"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
REFERENCE = "teacher"
"""slimline's float file of the model that all begin with: what drops are taken against."""
MOST_DROP = 0.01
"""What the upper end of the paired drop against the published int8 file may be."""

_TOLD = 400
"""Characters of an error that stand in the table."""

Results = Mapping[str, PartResult]


def read(folder: Path) -> Results:
    """Return what is kept of each part that was made.

    Raises:
        UserError: Nothing of slimline's own part, which all others are compared with.
    """
    found = {name: PartResult.kept(folder / RESULTS / name) for name in PARTS}
    results = {name: result for name, result in found.items() if result}
    if SLIMLINE not in results:
        raise UserError(
            f"{folder} holds no result of slimline's own part", "make peers ONLY=slimline DATA=DIR"
        )
    return results


def figures(results: Results, folder: Path) -> str:
    """Return table and sentences in Markdown.

    Args:
        results: By part.
        folder: Where they were read.
    """
    entries = [
        Entry(name, result.title, file, folder / RESULTS / name)
        for name, result in results.items()
        for file in result.files
    ]
    reference = next(one for one in entries if (one.part, one.file.name) == (SLIMLINE, REFERENCE))
    others = [one for one in entries if one.part != SLIMLINE]
    front = [one for one in entries if one.part == SLIMLINE and one.file.on_front and one.measured]
    parts = [
        *_trial(results),
        _measured(results),
        _table(results, entries, reference),
        f"**The goal.** {_goal(entries)}",
        "**Against slimline's front**, which is what its own run found on its selection images:",
        _against(others, front),
        "**Versions**: " + "; ".join(_versions(results)) + ".",
    ]
    return "\n\n".join(parts)


def _trial(results: Results) -> Iterator[str]:
    steps = sorted({result.steps for result in results.values() if result.steps is not None})
    if steps:
        yield (
            f"**This is a short trial ({', '.join(map(str, steps))} steps a training, few images): "
            "its figures say nothing.**"
        )


def _measured(results: Results) -> str:
    dates = sorted({result.date for result in results.values()})
    machines = sorted({result.machine for result in results.values()})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    several = "" if len(machines) == 1 else " Times of different machines are not comparable."
    disturbed = [
        f"{result.title}, {file.name}"
        for result in results.values()
        for file in result.files
        if file.timing == "disturbed"
    ]
    told = f" Other load disturbed the timing of {'; '.join(disturbed)}." if disturbed else ""
    return (
        f"Measured {when} on {' and '.join(machines)}, one thread. Brackets hold 95 % bootstrap "
        f"intervals; the drop is paired, against the float file of their model.{several}{told}"
    )


def _table(results: Results, entries: Sequence[Entry], reference: Entry) -> str:
    titles = ("tool", "file", "bytes", "gzip", "accuracy", "drop", "p50", "runs on")
    lines = [_row(titles), _row(["---"] * len(titles))]
    for name, title in PARTS.items():
        result = results.get(name)
        if result is None:
            lines.append(_row([title, f"not run yet: `make peers ONLY={name}`", *[""] * 6]))
        elif result.error:
            lines.append(_row([title, f"failed: {_cell(result.error)}", *[""] * 6]))
        else:
            lines += [_row(_cells(one, reference)) for one in entries if one.part == name]
    return "\n".join(lines)


def _cells(one: Entry, reference: Entry) -> list[str]:
    file = one.file
    named = f"**{file.name}** (winner)" if file.winner else file.name
    told = [one.title, named, f"{file.size_bytes:,}", f"{file.gzip_bytes:,}"]
    if not one.measured:
        return [*told, f"not measured: {_cell(file.failure or file.timing)}", "", "", file.runtime]
    drop = reference.drop_of(one)
    return [
        *told,
        interval(one.accuracy),
        interval(drop),
        short_time(one.p50_ms.value),
        file.runtime,
    ]


def _goal(entries: Sequence[Entry]) -> str:
    """Say whether the run's winner is half of the published file and no less accurate."""
    theirs = next((one for one in entries if one.part == PUBLISHED and one.measured), None)
    if theirs is None:
        return (
            f"Not known: the published int8 file was not measured (`make peers ONLY={PUBLISHED}`)."
        )
    half = theirs.file.size_bytes // 2
    aim = (
        f"a file of at most {half:,} bytes, half of the published int8 file, whose paired drop "
        f"against that is at most {MOST_DROP:g} at the upper end of its interval"
    )
    winner = next((one for one in entries if one.file.winner and one.measured), None)
    if winner is None:
        return f"Not reached: slimline's run has no winner. It asks for {aim}."
    drop = theirs.drop_of(winner)
    kept = winner.file.size_bytes <= half and drop.high <= MOST_DROP
    told = (
        f"`{winner.file.name}`, which slimline chose on its selection images, has "
        f"{winner.file.size_bytes:,} bytes and a drop of {interval(drop)}"
    )
    return f"{'Reached' if kept else 'Not reached'}: it asks for {aim}; {told}."


def _against(others: Sequence[Entry], front: Sequence[Entry]) -> str:
    """Say of each file of another tool what slimline's front is against it, the lost ones first."""
    if not others:
        return "No file of another tool is there yet."
    if not front:
        return (
            "Not compared: slimline's run found no front, as other load disturbed its timings. "
            f"On a quiet machine, `make peers ONLY={SLIMLINE}` measures them again."
        )
    told: dict[str, list[str]] = {"neither": [], "equals": [], "dominates": []}
    unmeasured: list[str] = []
    for one in others:
        named = f"{one.title}, {one.file.name}"
        if not one.measured:
            unmeasured.append(f"- {named}: not compared, as it could not be measured.")
            continue
        verdict = verdict_on(one, front)
        verb = {
            "neither": "slimline's front neither dominates nor equals it",
            "equals": "equalled",
            "dominates": "dominated",
        }[verdict.relation]
        told[verdict.relation].append(f"- {named}: **{verb}**: {verdict.sentence}.")
    return "\n".join([*told["neither"], *told["equals"], *told["dominates"], *unmeasured])


def _versions(results: Results) -> Iterator[str]:
    for name, result in results.items():
        if name == SLIMLINE or not result.versions:
            continue
        versions = ", ".join(f"{package} {found}" for package, found in result.versions.items())
        took = f"installed in {result.install_s:,.0f} s, made in {result.made_s:,.0f} s"
        yield f"{result.title}: {versions} ({took})"


def _cell(text: str) -> str:
    """Write what a program said so that it stays in its cell."""
    return escape(" ".join(text.split())[:_TOLD].replace("|", "/"), quote=False)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def written(page: str, text: str) -> str:
    """Return a page with other figures between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{PAGE.name} has no mark {BEGIN}"
    assert end, f"{PAGE.name} has no mark {END}"
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def write(folder: Path, page: Path) -> Path:
    """Write the page from the results in a folder, and return it.

    Raises:
        UserError: There are none, or they are of a short trial and the page is the real one.
    """
    results = read(folder)
    if page == PAGE and any(result.steps is not None for result in results.values()):
        raise UserError(
            f"{folder} holds results of a short trial, which are no figures for {PAGE.name}",
            "make peers DATA=DIR, without STEPS",
        )
    text = figures(results, folder)
    page.write_text(written(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return page


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.peers", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--page", type=Path, default=PAGE, help="another than docs/peers.md")
    given = parser.parse_args(argv)
    try:
        write(given.folder, given.page)
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{given.page}: written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
