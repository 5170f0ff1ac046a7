"""The suggested tree: as many of the variants that the rules know as the time allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from components.contract.digests import canonical_json
from pipelines.config.configuration import Config
from pipelines.config.sections import AutoSection
from pipelines.config.suggest.assumed_time import teacher_minutes
from pipelines.config.suggest.plan import (
    Plan,
    SuggestedVariant,
    leaf_minutes,
    plan_of,
    step_minutes,
)
from pipelines.config.suggest.rules import RULES
from pipelines.config.suggest.situation import Situation, situation_of

Minutes = Callable[[Sequence[SuggestedVariant]], float | None]
"""How long a run of these variants takes, the teacher included; None where nobody knows."""


@dataclass(frozen=True)
class Suggestion:
    """Variants for a situation.

    Attributes:
        situation: What they are for.
        variants: In the order in which their time is spent.
        left_out: Names of those for which there was no time.
        minutes: What all of it takes, about.
        teacher_minutes: Of them those until there is a teacher, as is assumed.
        told: Whether earlier runs tell so; else it is assumed.
    """

    situation: Situation
    variants: tuple[SuggestedVariant, ...]
    left_out: tuple[str, ...]
    minutes: float
    teacher_minutes: float
    told: bool

    @property
    def plain(self) -> dict[str, list[dict[str, Any]]]:
        """The variants as a configuration holds them."""
        return plain_variants(self.variants)


def suggest(config: Config, auto: AutoSection, told: Minutes | None = None) -> Suggestion:
    """Suggest variants for a configuration, whose own variants are not looked at.

    Equal configurations give equal suggestions: neither a clock nor this machine's speed plays a
    part, unless ``told`` brings it in.

    Args:
        config: A valid one.
        auto: Time, images, and whether downloads count.
        told: How long earlier runs say that variants take; where they do not, it is assumed.
    """
    situation = situation_of(config, auto)
    before = teacher_minutes(situation)
    plan = plan_of(situation, max(0.0, situation.minutes - before))
    chosen: list[SuggestedVariant] = []
    left_out: list[str] = []
    by_runs = told is not None
    minutes = 0.0
    for rule in RULES:
        variant = rule(plan)
        if variant is None:
            continue
        longer = told([*chosen, variant]) if told else None
        by_runs = by_runs and longer is not None
        taking = before + assumed_minutes(plan, [*chosen, variant]) if longer is None else longer
        if chosen and taking > situation.minutes:
            left_out.append(variant.name)
            continue
        chosen.append(variant)
        minutes = taking
    return Suggestion(situation, tuple(chosen), tuple(left_out), minutes, before, by_runs)


def assumed_minutes(plan: Plan, variants: Sequence[SuggestedVariant]) -> float:
    """Return how long variants take after the teacher; steps that they share run once."""
    done: set[bytes] = set()
    minutes = 0.0
    for variant in variants:
        minutes += leaf_minutes(variant)
        for length in range(1, len(variant.path) + 1):
            path = variant.path[:length]
            identity = canonical_json([step.plain for step in path])
            if identity not in done:
                done.add(identity)
                minutes += step_minutes(plan, path)
    return minutes


def plain_variants(variants: Sequence[SuggestedVariant]) -> dict[str, list[dict[str, Any]]]:
    """Return variants as a configuration holds them."""
    return {one.name: [step.plain for step in one.path] for one in variants}
