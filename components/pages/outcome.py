"""The outcome at the top of the report: who won, and what the sealed images say of it.

Three states are told apart, by words and by colour. Before the sealed images were opened a winner
is *chosen*; afterwards its release is *qualified*, or it is not, and then nothing of it is green.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from components.artifacts.decision import Candidate, Decision, Verdict
from components.pages.words import VERDICTS, budgets_in_words, count, sentence
from components.selection.device_budgets import LimitedNumber, asked_of
from components.statistics.bootstrap import Interval
from components.statistics.metrics import METRICS
from components.statistics.quantities import (
    decimal,
    exact_places,
    ratio,
    short_bytes,
    short_time,
    short_times,
    whole_bytes,
    with_interval,
)

State: TypeAlias = Literal["chosen", "qualified", "unqualified", "empty"]

_EYEBROWS: dict[State, str] = {
    "chosen": "Chosen, not confirmed yet",
    "qualified": "Winner, qualified",
    "unqualified": "Not qualified",
    "empty": "No winner",
}
_WINNERS: dict[State, str] = {
    "chosen": "chosen",
    "qualified": "winner",
    "unqualified": "not qualified",
    "empty": "winner",
}
"""How the verdict on the winner is called in each state."""
_UNKNOWN = (
    "Whether it qualifies is not known on this page: it was made before the sealed images were "
    "opened. The report of the release, report.html, says it."
)


@dataclass(frozen=True)
class SealedVerdict:
    """What the sealed images say of the winner.

    Attributes:
        qualified: Whether it keeps the budgets there, too.
        reasons: Why, or why not, one sentence each.
        drop: Its paired drop there; None where it is unknown.
        metric: Its metric there; None after a crash.
        images: How many sealed images.
        next_step: What to do where it does not qualify, if that can be told.
    """

    qualified: bool
    reasons: tuple[str, ...]
    drop: Interval | None
    metric: Interval | None
    images: int
    next_step: str | None = None

    @property
    def row(self) -> tuple[Interval, Verdict] | None:
        """The drop as charts draw it, in the colour of the winner or of a failure."""
        return self.drop and (self.drop, "winner" if self.qualified else "failed")


@dataclass(frozen=True)
class Tile:
    """One number of the winner.

    Attributes:
        title: What it is.
        value: The number.
        used: Which part of its budget it takes, in percent; None without a budget.
        lines: What has to be said with it.
    """

    title: str
    value: str
    used: float | None
    lines: tuple[str, ...]

    @property
    def bar(self) -> int | None:
        """How long the bar is, in percent of its room; None without a budget."""
        return None if self.used is None else round(min(100.0, self.used))

    @property
    def used_in_words(self) -> str:
        """How much of the budget it takes; said of a budget alone."""
        return "over the budget" if self.is_over else f"{self.used:.0f} % of the budget"

    @property
    def is_over(self) -> bool:
        """Whether the budget is missed; the colour of the bar says it."""
        return self.used is not None and self.used > 100


@dataclass(frozen=True)
class Banner:
    """The banner of the report.

    Attributes:
        state: Decides the colours of the page.
        eyebrow: The state in words.
        heading: The largest line.
        reasons: Listed below it: of the sealed verdict, all of them.
        text: How it came to that.
        tiles: Numbers of the winner.
        next_steps: What to try next.
    """

    state: State
    eyebrow: str
    heading: str
    reasons: tuple[str, ...]
    text: str
    tiles: tuple[Tile, ...]
    next_steps: tuple[str, ...]

    @property
    def verdicts(self) -> dict[Verdict, str]:
        """How verdicts are called on a page in this state."""
        return {**VERDICTS, "winner": _WINNERS[self.state]}


def outcome_of(decision: Decision, sealed: SealedVerdict | None) -> Banner:
    """Return the banner.

    Args:
        decision: What was chosen.
        sealed: What the sealed images say of it; None where they have not been opened yet, or
            nothing was chosen.
    """
    state = _state(decision, sealed)
    eyebrow = f"{_EYEBROWS[state]} · {decision.task}"
    if decision.winner is None:
        asked = f"Asked for: {budgets_in_words(decision.budgets)}. No file is released."
        return Banner(
            state, eyebrow, "Nothing keeps every budget", (), asked, (), decision.next_steps
        )
    winner = decision.variant(decision.winner)
    heading = f"{winner.name} does not qualify" if state == "unqualified" else winner.name
    text = f"{decision.reason}."
    if sealed is None:
        text += f" {_UNKNOWN}"
    elif not sealed.qualified:
        text = f"On the images that chose it: {text} Look at the reasons before you ship it."
    return Banner(
        state,
        eyebrow,
        heading,
        tuple(sentence(reason) for reason in sealed.reasons) if sealed else (),
        text,
        tuple(_tiles(decision, winner, sealed)),
        (sealed.next_step,) if sealed and sealed.next_step else (),
    )


def _state(decision: Decision, sealed: SealedVerdict | None) -> State:
    if decision.winner is None:
        return "empty"
    if sealed is None:
        return "chosen"
    return "qualified" if sealed.qualified else "unqualified"


def _tiles(decision: Decision, winner: Candidate, sealed: SealedVerdict | None) -> list[Tile]:
    tiles = [_sealed_tile(decision, sealed)] if sealed else []
    tiles += [_size_tile(decision, winner), *_drop_tiles(decision, winner, sealed)]
    for device, timing in winner.latency.items():
        if timing.p50_ms:
            p50, limit = timing.p50_ms, decision.budgets.on(device).latency_ms
            budget = f"; budget {short_time(limit)}" if limit else "; no budget"
            tiles.append(
                Tile(
                    f"Median latency on {device}",
                    short_time(p50.value),
                    _used(p50.high, limit),
                    (
                        f"{short_times(p50.low, p50.high)}{budget}",
                        count(decision.devices[device].threads, "thread"),
                    ),
                )
            )
    limited = [
        (asked, asked.value)
        for asked in asked_of(winner, decision.budgets)
        if asked.value is not None and asked.key != "latency_ms"
    ]
    tiles += [_limited_tile(asked, value) for asked, value in limited]
    told = any(asked.key == "memory_mb" for asked, _ in limited)
    if winner.peak_memory_bytes is not None and not told:
        memory = short_bytes(winner.peak_memory_bytes)
        tiles.append(Tile("Peak memory", memory, None, ("above the runtime's own baseline",)))
    return tiles


def _limited_tile(asked: LimitedNumber, value: float) -> Tile:
    """Return a number that is limited on a device: its worse end, which is what counts."""
    title = f"{asked.noun} on {asked.device}"
    lines = (f"budget {asked.limit_in_words}", asked.quantity.end)
    return Tile(title, asked.value_in_words, _used(value, asked.limit), tuple(filter(None, lines)))


def _sealed_tile(decision: Decision, sealed: SealedVerdict) -> Tile:
    """Return the drop where it counts most."""
    budgets, title = decision.budgets, METRICS[decision.metric].title
    reached = f"{title} {with_interval(sealed.metric)}" if sealed.metric else f"no {title}"
    where = f"{reached} on {count(sealed.images, 'image')} that nothing saw before"
    name = f"Drop of {title}, sealed images"
    if sealed.drop is None:
        return Tile(name, "unknown", None, (where,))
    return Tile(name, decimal(sealed.drop.value), _used(sealed.drop.high, budgets.drop),
                (_up_to(sealed.drop, budgets.drop), where))  # fmt: skip


def _drop_tiles(decision: Decision, winner: Candidate, sealed: SealedVerdict | None) -> list[Tile]:
    reference, limit = decision.variant(decision.reference), decision.budgets.drop
    if winner.drop is None or winner.metric is None:
        return []
    title = METRICS[decision.metric].title
    before = f"{decimal(reference.metric.value)} to " if reference.metric else ""
    return [
        Tile(
            f"Drop of {title}{', selection images' if sealed else ''}",
            decimal(winner.drop.value),
            _used(winner.drop.high, limit),
            (_up_to(winner.drop, limit), f"{title} {before}{decimal(winner.metric.value)}"),
        )
    ]


def _up_to(drop: Interval, limit: float) -> str:
    return f"up to {decimal(drop.high)}; budget {decimal(limit, exact_places(limit))}"


def _size_tile(decision: Decision, winner: Candidate) -> Tile:
    limit = decision.budgets.size_bytes
    size = winner.file_bytes
    lines = [whole_bytes(size) + (f"; budget {short_bytes(limit)}" if limit else "")]
    whole = decision.variant(decision.reference).size_bytes
    if winner.name != decision.reference and whole is not None and size < whole:
        lines.append(
            f"{ratio(whole / size)} smaller than {decision.reference} ({short_bytes(whole)})"
        )
    return Tile("File", short_bytes(size), _used(size, limit), tuple(lines))


def _used(value: float, limit: float | None) -> float | None:
    """Return which part of a budget is used, in percent, from 0."""
    if limit is None:
        return None
    if value <= limit:
        return 100 * max(0.0, value / limit) if limit else 100.0
    return 100 * value / limit if limit else math.inf
