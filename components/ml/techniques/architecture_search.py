"""Architecture search: proposed, predicted, trained for longer and longer, and the front of them.

What a network costs is predicted before it is trained, so that nothing outside the budgets is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from components.artifacts.cost_model import CostModel
from components.artifacts.search_front import (
    Architecture,
    PredictionError,
    SearchFront,
    TrainedFor,
)
from components.contract.errors import UserError
from components.contract.progress import tell
from components.ml.settings import Network
from components.ml.techniques.search_proposals import Proposals
from components.ml.techniques.search_ranking import Objectives, fronts, survivors
from components.ml.techniques.search_settings import SearchPlan, SearchSpace
from components.ml.techniques.search_training import CandidateTraining
from components.ml.techniques.searched_networks import (
    CountedNetwork,
    counted,
    name_of,
    settings_of,
)
from components.statistics.quantities import short_bytes, written_above

_ASKED = 40
"""Proposals for each candidate that is wanted, at most."""


@dataclass(frozen=True)
class Limits:
    """What candidates must keep to.

    Attributes:
        size_bytes: Largest file; None for no limit.
        latency_ms: Longest inference on every device; None for no limit.
        drop: Largest drop of the metric against the teacher.
    """

    size_bytes: int | None
    latency_ms: float | None
    drop: float


@dataclass(frozen=True, eq=False)
class _Proposed:
    """A network with what it is predicted to cost, and what it came to so far."""

    name: str
    counted: CountedNetwork
    embedding: int | None
    latency_ms: Mapping[str, float]
    size_bytes: float
    over: Mapping[str, float]
    trainings: tuple[TrainedFor, ...] = ()

    @property
    def within(self) -> bool:
        return all(share <= 0 for share in self.over.values())

    @property
    def objectives(self) -> Objectives:
        metric = self.trainings[-1].metric if self.trainings else 0.0
        return -metric, max(self.latency_ms.values()), self.size_bytes


class ArchitectureSearch:
    """One search.

    Args:
        space: What architectures are made of.
        plan: How long is searched.
        limits: What they must keep to.
        costs: Cost models by device.
        training: What trains them.
        seed: Of the sampler.
    """

    def __init__(
        self,
        space: SearchSpace,
        plan: SearchPlan,
        limits: Limits,
        costs: Mapping[str, CostModel],
        training: CandidateTraining,
        seed: int,
    ) -> None:
        self._plan, self._limits, self._costs, self._training = plan, limits, costs, training
        data = training.data.info
        self._proposals = Proposals(space, data.task, min(data.shape[:2]), plan.candidates, seed)
        self._built: dict[tuple[str, int | None], _Proposed] = {}
        self._asked = self._outside = self._repeated = 0

    def front(self) -> SearchFront:
        """Search, and return what was found.

        Raises:
            UserError: Nothing that was proposed keeps the budgets, or no training came to an end.
        """
        first, *later = self._plan.lengths
        tried = {one.name: one for one in self._first_round(first)}
        alive = self._sound(tried, list(tried))
        for steps in later:
            places = survivors([tried[name].objectives for name in alive])
            alive = [alive[place] for place in places]
            for place, name in enumerate(alive):
                tell(phase=f"trained for {steps} steps", part=place, total=len(alive))
                one = tried[name]
                done = self._training.trained(one.counted, steps)
                tried[name] = replace(one, trainings=(*one.trainings, done))
            tell(phase=f"trained for {steps} steps", part=len(alive), total=len(alive))
            alive = self._sound(tried, alive)
        best = fronts([tried[name].objectives for name in alive])[0]
        return self._report(list(tried.values()), alive, {alive[place] for place in best})

    @staticmethod
    def _sound(tried: Mapping[str, _Proposed], alive: Sequence[str]) -> list[str]:
        """Leave out whose training came apart: small and fast as they may be, nobody wants them."""
        faults = {name: tried[name].trainings[-1].fault for name in alive}
        sound = [name for name, fault in faults.items() if fault is None]
        if not sound:
            name, fault = next(iter(faults.items()))
            raise UserError(
                f"search: the training of every architecture came apart; of {name}: {fault}",
                "write a lower learning_rate under search, such as 1.0e-3",
            )
        return sound

    def _first_round(self, steps: int) -> list[_Proposed]:
        """Train everything that is proposed and within the budgets, each once."""
        wanted, phase = self._plan.candidates, f"trained for {steps} steps"
        seen: dict[str, _Proposed] = {}
        found = 0
        while found < wanted and self._asked < _ASKED * wanted:
            tell(phase=phase, part=found, total=wanted)
            self._asked += 1
            trial, network, embedding = self._proposals.ask()
            one = self._candidate(network, embedding)
            known = seen.get(one.counted.identity)
            if known is not None:
                self._repeated += 1
            elif one.within:
                done = self._training.trained(one.counted, steps)
                one, found = replace(one, trainings=(done,)), found + 1
            else:
                self._outside += 1
            one = known or one
            seen[one.counted.identity] = one
            self._proposals.tell(trial, one.objectives, one.over)
        tell(phase=phase, part=found, total=max(found, 1))
        if not found:
            raise self._nothing(list(seen.values()))
        return [one for one in seen.values() if one.trainings]

    def _candidate(self, network: Network, embedding: int | None) -> _Proposed:
        """Return what a proposal costs; each is built once."""
        name = name_of(network, embedding)
        if (name, embedding) in self._built:
            return self._built[name, embedding]
        one = counted(network, self._training.info(embedding))
        latency_ms = {device: costs.latency_ms(one.counts) for device, costs in self._costs.items()}
        size_bytes = max(costs.size_bytes(one.counts) for costs in self._costs.values())
        over: dict[str, float] = {}
        if self._limits.size_bytes is not None:
            error = max(costs.size.median_error for costs in self._costs.values())
            over["size_mb"] = size_bytes * (1 + error) / self._limits.size_bytes - 1
        if self._limits.latency_ms is not None:
            over["latency_ms"] = max(
                latency_ms[device] * (1 + costs.latency.median_error) / self._limits.latency_ms - 1
                for device, costs in self._costs.items()
            )
        made = _Proposed(name, one, embedding, latency_ms, size_bytes, over)
        self._built[name, embedding] = made
        return made

    def _nothing(self, seen: Sequence[_Proposed]) -> UserError:
        nearest = min(seen, key=lambda one: (max(one.over.values()), one.name))
        told = f"{short_bytes(nearest.size_bytes)} and {max(nearest.latency_ms.values()):.3g} ms"
        size_mb = None if self._limits.size_bytes is None else self._limits.size_bytes / 1e6
        given = {"size_mb": size_mb, "latency_ms": self._limits.latency_ms}
        above, wanted = list[str](), list[str]()
        for name, share in nearest.over.items():
            limit = given[name]
            if share > 0 and limit is not None:
                above.append(f"{share:.0%} above {name}")
                wanted.append(f"{name}: {written_above(limit * (1 + share))} or more")
        return UserError(
            f"search: none of {self._asked} proposals keeps the budgets; the nearest, "
            f"{nearest.name}, is predicted at {told} and with the error of the prediction is "
            f"{' and '.join(above)}",
            f"write {' and '.join(wanted)} under budgets, or add smaller alpha under search",
        )

    def _report(
        self, tried: Sequence[_Proposed], alive: Sequence[str], best: set[str]
    ) -> SearchFront:
        reference, limits = self._training.reference, self._limits
        architectures = tuple(
            sorted(
                (self._architecture(one, one.name in alive, one.name in best) for one in tried),
                key=lambda one: (one.size_bytes, one.name),
            )
        )
        chosen, why = _choice([one for one in architectures if one.on_front], reference, limits)
        any_model = next(iter(self._costs.values()))
        return SearchFront(
            metric=self._training.validation.metric,
            teacher=reference,
            drop=limits.drop,
            size_bytes=limits.size_bytes,
            latency_ms=limits.latency_ms,
            scheme=any_model.scheme,
            errors={
                device: PredictionError(
                    len(costs.samples),
                    costs.latency.median_error,
                    costs.latency.rank_correlation,
                    costs.size.median_error,
                )
                for device, costs in self._costs.items()
            },
            steps=self._plan.lengths,
            asked=self._asked,
            outside=self._outside,
            repeated=self._repeated,
            architectures=architectures,
            chosen=chosen.name,
            why=why,
        )

    def _architecture(self, one: _Proposed, trained_whole: bool, best: bool) -> Architecture:
        reference, keeps = self._training.reference, None
        if reference is not None and trained_whole:
            keeps = reference - one.trainings[-1].metric <= self._limits.drop
        return Architecture(
            name=one.name,
            network=settings_of(one.counted.network),
            embedding=one.embedding,
            counts=one.counted.counts,
            latency_ms=one.latency_ms,
            size_bytes=one.size_bytes,
            trainings=one.trainings,
            on_front=best,
            keeps_drop=keeps,
        )


def _choice(
    front: Sequence[Architecture], reference: float | None, limits: Limits
) -> tuple[Architecture, str]:
    """Return the smallest architecture of the front that keeps every budget, and the reason."""
    keeping = [one for one in front if one.keeps_drop]
    if keeping:
        chosen = min(keeping, key=lambda one: (one.size_bytes, one.name))
        return chosen, (
            f"{chosen.name} is the smallest of the {len(keeping)} on the front that are predicted "
            f"within the budgets and lose at most {limits.drop:g} against the teacher"
        )
    chosen = max(front, key=lambda one: (one.metric, -one.size_bytes, one.name))
    if reference is None:
        return chosen, f"{chosen.name} is the most accurate of the front; there is no teacher"
    return chosen, (
        f"none of the front loses at most {limits.drop:g} against the teacher after so short a "
        f"training; {chosen.name}, {reference - chosen.metric:.4f} below it, is the most accurate"
    )


def search(
    training: CandidateTraining,
    reports: Sequence[Path],
    *,
    space: SearchSpace,
    plan: SearchPlan,
    limits: Limits,
    seed: int,
) -> SearchFront:
    """Search; see ``components.search``.

    Raises:
        UserError: No cost model, two of one device, nothing within the budgets, or no training that
            came to an end.
    """
    models = [CostModel.read(path) for path in reports]
    named = {
        model.device if len(models) == 1 else f"{model.device}-{model.threads}-threads": model
        for model in models
    }
    if len(named) != len(models) or not models:
        raise UserError(
            f"search was given {len(models)} cost models of {len(named)} devices",
            "give one report of cost_model for each device",
        )
    return ArchitectureSearch(space, plan, limits, named, training, seed).front()
