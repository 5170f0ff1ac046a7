"""A leaderboard and an explanation as a terminal prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType

from components.artifacts.data_use import DataUse
from components.artifacts.decision import Decision, Timing
from components.artifacts.pair_list import PairListResult
from components.pages.groups import group_lines
from components.pages.measurements import chips, limited_columns, timed_devices
from components.pages.operators import note_lines, operator_lines
from components.pages.rankings import ranking_table
from components.statistics.bootstrap import Interval
from components.statistics.quantities import (
    kibibytes,
    milliseconds,
    short_bytes,
    whole_bytes,
    with_interval,
)
from pipelines.cli.run_states import asked_by, going_on
from pipelines.cli.sheet import Column, Sheet
from pipelines.cli.visible import line
from pipelines.launch.explaining import LOST, NEW, Changed, Explanation, Upstream
from pipelines.launch.release_folder import LATEST_PAGE, read_list
from pipelines.runs.leaderboard import Leaderboard, Sealed
from pipelines.runs.live.progress_text import duration
from pipelines.runs.records import RunRecord

_STYLES = {
    "winner": "bold green", "kept": "green", "over-budget": "yellow", "undecided": "magenta",
    "failed": "red", "comparison": "dim", "reference": "dim",
}  # fmt: skip
_EXPORTED = (
    ("model.tflite", "model"),
    ("manifest.json", "how to feed it"),
    ("card.md", "model card"),
    ("report.html", "report"),
)


def leaderboard(board: Leaderboard, *, failures: bool = True) -> Group:
    """Return what a person sees after a run.

    Args:
        board: What the run found out.
        failures: Whether it says why steps failed; not where that is said elsewhere.
    """
    fault = board.record.fault
    parts: list[RenderableType] = [line(_headline(board), style="bold")]
    if board.data:
        parts.append(line(f"decided on {board.data}"))
    if board.images:
        parts += _use(board.images)
    if board.decision:
        parts += [_table(board.decision), *map(line, _conclusion(board.decision))]
        parts += map(line, _device_files(board))
        if board.sealed:
            parts.append(line(_sealed(board.sealed, board.decision.metric)))
            parts += map(line, _listed_pairs(board.sealed))
    elif {"running", "waiting", "killed"} & set(board.states.values()):
        parts += going_on(board.record)
    elif not board.failures and not fault:
        parts.append(line("no choice was made in this run"))
    parts += [line(_retry(retry)) for retry in board.record.retries]
    parts += _asked(board.record)
    if failures:
        parts += [line(f"failed: {failure.what}", style="red") for failure in board.failures]
    if fault:
        parts.append(line(f"broken: {fault}", style="red"))
    if board.exported:
        parts += map(line, exported_files(board.record.run, Path(board.exported)))
    return Group(*parts)


def _device_files(board: Leaderboard) -> Iterator[str]:
    """Say which file each device takes; where nothing won anywhere, that is said already."""
    if any(one.winner for one in board.files or ()):
        yield from (one.sentence for one in board.files or ())


def _asked(record: RunRecord) -> list[RenderableType]:
    """Say who asked for the end of a cancelled run."""
    asked = record.cancelled
    return [line(f"cancelled{asked_by(asked['actor'], asked['reason'])}")] if asked else []


def _retry(retry: Mapping[str, Any]) -> str:
    """Say that a cluster was to try the run again."""
    steps = ", ".join(retry["steps"])
    return f"tried again ({retry['number']}) at {retry['at']}, after {steps} had failed"


def _use(use: DataUse) -> list[RenderableType]:
    """Say what became of the images; what is wrong with them cannot be overlooked."""
    warnings = [_warning(warning) for warning in use.warnings]
    more = " (all of them: slimline data)" if use.left_out else ""
    return [line(f"{use.summary}{more}"), *warnings]


def images_of_run(
    use: DataUse, items: Sequence[Mapping[str, str]], near: Sequence[Mapping[str, str]]
) -> Group:
    """Return every image that is not used, with its reason, and pairs that show almost the same."""
    sheet = Sheet([Column("image", wraps=True), Column("left out"), Column("because", wraps=True)])
    for item in items:
        sheet.add(item["name"], item["kind"], item["reason"])
    titles = ("image", "shows almost the same as", "labels", "splits")
    pairs = Sheet([Column(title, wraps=True) for title in titles])
    for pair in near:
        labels, splits = (_both(pair, what) for what in ("label", "split"))
        pairs.add(pair["one"], pair["other"], labels, splits)
    warnings = [_warning(warning) for warning in use.warnings]
    tables = [*([sheet] if items else []), *([pairs] if near else [])]
    return Group(*tables, line(use.summary, style="bold"), *warnings)


def _warning(text: str) -> RenderableType:
    return line(f"WARNING: {text}", style="bold red")


def _both(pair: Mapping[str, str], what: str) -> str:
    one, other = pair[f"one_{what}"], pair[f"other_{what}"]
    return one if one == other else f"{one}, {other}"


def _headline(board: Leaderboard) -> str:
    record = board.record
    took = f" in {record.wall_s:.1f} s" if record.finished else ""
    path = f", critical path of the functions {record.critical_path_s:.1f} s" if took else ""
    counts = f"{board.steps_run} steps run, {board.steps_cached} cached"
    return f"{record.name}: {record.outcome}{took} ({counts}{path})  run {record.run}"


def _table(decision: Decision) -> Sheet:
    percent = f"{100 * decision.confidence:g}%"
    devices = timed_devices(decision)
    several = len({name for variant in decision.variants for name in variant.latency}) > 1
    times = [f"p50{f' {device}' if several else ''}" for device in devices]
    limited = limited_columns(decision)
    arenas = () if any(column.title == "Arena" for column in limited) else chips(decision)
    narrow = Sheet(
        [
            Column("variant", wraps=True),
            Column(f"{decision.metric}\n{percent}", right=True),
            Column(f"drop vs teacher\n{percent}", right=True),
            Column("bytes\ngzip\nmemory", right=True),
            *(Column(f"{header}\n{percent}", right=True) for header in times),
            *(Column(column.title, right=True) for column in limited),
            *(Column(f"arena {device}", right=True) for device in arenas),
        ],
        spaced=True,
    )
    wide = Sheet(
        [
            Column("variant"),
            Column(f"{decision.metric} ({percent})", right=True, short=decision.metric),
            Column(f"drop vs teacher ({percent})", right=True, short="drop"),
            Column("bytes", right=True),
            Column("gzip", right=True),
            *(Column(f"{header} ({percent})", right=True, short=header) for header in times),
            *(Column(column.title, right=True) for column in limited),
            *(Column(f"arena {device}", right=True) for device in arenas),
            Column("memory", right=True),
            Column("verdict"),
        ],
        narrower=narrow,
    )
    for variant in decision.variants:
        name = f"{variant.name} *" if variant.on_front else variant.name
        memory = variant.peak_memory_bytes
        sizes = [_bytes(size) for size in (variant.size_bytes, variant.gzip_bytes)]
        memory = "-" if memory is None else short_bytes(memory)
        drops = (_interval(variant.metric), _interval(variant.drop))
        latencies = [_latency(variant.latency.get(device)) for device in devices]
        limits = [_limited(column.cells.get(variant.name, ())) for column in limited]
        limits += [_arena(variant.latency.get(device)) for device in arenas]
        style = _STYLES.get(variant.verdict, "")
        wide.add(name, *drops, *sizes, *latencies, *limits, memory, variant.verdict, style=style)
        narrow.add(
            f"{name}\n{variant.verdict}",
            *map(_broken, drops),
            "\n".join((*sizes, memory)),
            *(_broken(latency).replace(" to ", " to\n") for latency in latencies),
            *limits,
            style=style,
        )
    return wide


def _limited(told: Sequence[tuple[str, str, str]]) -> str:
    """Return a number that is limited, with its device where several told one."""
    lines = [f"{device} {value}" if len(told) > 1 else value for device, value, _ in told]
    return "\n".join(lines) or "-"


def _broken(value: str) -> str:
    """Return a value with its interval in the line below, as narrow columns have it."""
    return value.replace(" (", "\n").removesuffix(")")


def _interval(given: Interval | Mapping[str, float] | None) -> str:
    if given is None:
        return "-"
    return with_interval(given if isinstance(given, Interval) else Interval(**given))


def _bytes(size: int | None) -> str:
    return "-" if size is None else f"{size:,}"


def _latency(timing: Timing | None) -> str:
    if timing is None:
        return "-"
    p50 = timing.p50_ms
    if p50 is None:
        return timing.verdict
    ends = f"{milliseconds(p50.low).removesuffix(' ms')} to {milliseconds(p50.high)}"
    return f"{milliseconds(p50.value)} ({ends})"


def _arena(timing: Timing | None) -> str:
    """Return the memory for tensors on a chip, or what became of the variant there."""
    if timing is None:
        return "-"
    return timing.verdict if timing.arena_bytes is None else kibibytes(timing.arena_bytes)


def _conclusion(decision: Decision) -> Iterator[str]:
    if any(variant.on_front for variant in decision.variants):
        yield "* on the Pareto front of size, latency and metric"
    if decision.winner:
        yield f"winner: {decision.winner}. {decision.reason}"
    else:
        yield f"no winner: {decision.reason}"
    yield from _losers(decision)
    if baseline := decision.baseline:
        value = _interval(baseline.metrics.get(decision.metric))
        yield f"baseline: {baseline.name} {decision.metric} {value}. {baseline.note}"
    yield from _one_shot(decision)
    for name, reason in decision.split.unmeasured.items():
        yield f"no {name}: {reason}"
    yield from operator_lines(decision)
    if (ranking := ranking_table(decision)) and ranking.rows:
        yield f"devices: {ranking.note}"
        for pair, cells in ranking.rows:
            order = zip(ranking.heads, cells, strict=True)
            yield f"  {pair}: {'; '.join(f'on {head} {told}' for head, (told, _) in order)}"
    yield from (f"note: {note}" for note in (*note_lines(decision), *decision.notes))
    yield from (f"try next: {step}" for step in decision.next_steps)
    yield from group_lines(decision)


def _one_shot(decision: Decision) -> Iterator[str]:
    """Say what one-shot trials gave, where another metric decides."""
    task = decision.split.one_shot
    if task is None:
        return
    shown = [decision.reference, *([decision.winner] if decision.winner else [])]
    figures = [(name, decision.variant(name).metrics) for name in dict.fromkeys(shown)]
    if decision.baseline:
        figures.append((decision.baseline.name, decision.baseline.metrics))
    values = ", ".join(f"{name} {_interval(found.get('one_shot'))}" for name, found in figures)
    yield f"one_shot: {values}. {task.sentence}"


def _losers(decision: Decision) -> Iterator[str]:
    """Say of each candidate why it did not win; without a winner the nearest miss comes first."""
    excess = {miss.name: miss.excess for miss in decision.near_misses}
    losers = (one for one in decision.variants if one.candidate and one.name != decision.winner)
    reasons = {one.name: one.reason for one in losers}
    for name in (*excess, *(name for name in reasons if name not in excess)):
        by = f" (missed by {100 * excess[name]:.3g}%)" if excess.get(name) else ""
        yield f"  {name}: {reasons[name]}{by}"


def _sealed(sealed: Sealed, metric: str) -> str:
    teacher = _interval((sealed.teacher or {}).get(metric))
    opened = f"opened by {sealed.times_opened} run{'s' if sealed.times_opened != 1 else ''}"
    if sealed.winner is None:
        return f"sealed images ({opened}): teacher {metric} {teacher}"
    winner = _interval(sealed.winner.get(metric))
    drop = f", drop {_interval(sealed.drop)}" if sealed.drop else ""
    qualified = "qualified" if sealed.qualified else "not qualified"
    return (
        f"sealed images ({opened}): winner {metric} {winner}, teacher {teacher}{drop}; "
        f"{qualified}: {'; '.join(sealed.reasons)}"
    )


def _listed_pairs(sealed: Sealed) -> Iterator[str]:
    """Say what was reached on the pairs that the user lists."""
    found = {who: PairListResult(**item) for who, item in (sealed.pairs or {}).items() if item}
    if found:
        first = next(iter(found.values()))
        reached = ", ".join(f"{who} {item.figure}" for who, item in found.items())
        yield f"{first.name}: accuracy of {reached}. {first.sentence}"


def exported_files(run: str, folder: Path) -> Iterator[str]:
    """Say what lies where in the folder that a run was exported to."""
    listed = read_list(folder)
    if listed and listed.latest_run == run:
        yield f"report: {folder / LATEST_PAGE}"
        yield f"the release in {folder} stays as it is: it is of run {listed.run}"
        return
    others = [(path.name, "model") for path in sorted(folder.glob("model-*.tflite"))]
    firmware = [(path.name, "firmware") for path in sorted(folder.glob("model_data*"))]
    for name, what in (_EXPORTED[0], *others, *firmware, *_EXPORTED[1:]):
        path = folder / name
        if path.is_file():
            size = f" ({whole_bytes(path.stat().st_size)})" if name.endswith(".tflite") else ""
            yield f"{what}: {path}{size}"


def explanation(explained: Sequence[Explanation], estimate_s: float | None = None) -> Group:
    """Return what would run, and why.

    Args:
        explained: Every step.
        estimate_s: How long it would take; None where nobody knows.
    """
    sheet = Sheet([Column("step"), Column("state"), Column("because", wraps=True)])
    for item in explained:
        state, style = ("run", "yellow") if item.reason else ("cached", "dim")
        sheet.add(item.step, state, because(item), style=style)
    count = sum(item.reason is not None for item in explained)
    summary = f"{count} of {len(explained)} steps would run"
    if count and estimate_s is not None:
        summary += f", in about {duration(estimate_s)} as earlier runs tell"
    uses = [part for item in explained if item.use for part in _use(item.use)]
    warnings = [_warning(item.warning) for item in explained if item.warning]
    return Group(sheet, *uses, *warnings, line(summary, style="bold"))


def because(item: Explanation) -> str:
    """Say in words why a step would run."""
    match item.reason:
        case Changed(what=what) if what == (NEW,):
            return "it has never run"
        case Changed(what=what) if what == (LOST,):
            return "the store has lost its result"
        case Changed(what=what):
            return f"changed: {', '.join(map(str, what))}"
        case Upstream(step=step):
            return f"{step} would run"
        case None:
            return "its result is there"
