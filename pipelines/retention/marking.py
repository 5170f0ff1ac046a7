"""Marking: what in a store something rests on. Whatever is not marked may be collected.

A release rests on the winner's whole line, back to the datasets, and on the LiteModels and Reports
that its choice compared; not on what the losers were made of. A run that is young, or goes on,
rests on all that it made. Of every other run stay its records and what tells of its results: the
JSON files of every artifact, such as manifests, leaderboards and measurements.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from components.contract.errors import UserError
from pipelines.retention.contents import KeptContents
from pipelines.runs.records import Problem, RunRecord, list_runs
from pipelines.runs.step_records import ExecutionRecord, read_ingredients, read_record
from pipelines.stores.layout import CLAIMS, kind_of, result_key, run_key
from pipelines.stores.store import KeyMissing, Store

_DIGEST = re.compile(r"[0-9a-f]{64}")
_RELEASED = ("release", "release log", "champion")
"""Kinds of values that name releases."""


@dataclass
class Marked:
    """What is to stay.

    Attributes:
        whole: Trees that stay with all their blobs.
        named: Trees that a record names, those included: their listings stay.
        keys: Keys of all results, trees and blobs that stay.
    """

    whole: set[str] = field(default_factory=set[str])
    named: set[str] = field(default_factory=set[str])
    keys: set[str] = field(default_factory=set[str])


def mark(store: Store, keys: Sequence[str], keep_s: float, present: datetime) -> Marked:
    """Return what something rests on.

    Args:
        store: Which store.
        keys: All keys in it, listed before.
        keep_s: A run is young for so many seconds after its last sign.
        present: The time, UTC.

    Raises:
        UserError: A record is damaged, so that nobody knows what rests on it.
    """
    marks = _Marks(store, keys)
    for run in marks.runs:
        marks.add_run(run, young=_is_young(run, keep_s, present))
    marks.add_nameless(keep_s, present)
    marks.add_claims()
    marks.add_releases()
    marks.add_contents()
    marks.refuse_damage()
    return marks.found


class _Marks:
    """The marks of one store, so far."""

    def __init__(self, store: Store, keys: Sequence[str]) -> None:
        self._store, self._keys = store, keys
        self.found = Marked()
        self._problems: list[Problem] = []
        self.runs = list_runs(store, self._problems)
        self._makers: dict[str, set[str]] = {}
        self._made: dict[str, set[str]] = {}
        self._results: dict[str, frozenset[str]] = {}
        self._records: dict[str, list[str]] = {}
        for key in keys:
            if kind_of(key) == "step":
                self._records.setdefault(key.split("/")[1], []).append(key)
        ended = {run_key(run.run) for run in self.runs} & set(keys)
        known = {run.run for run in self.runs}
        self._open = [run for run in self._records if run_key(run) not in ended]
        self._nameless = [run for run in self._open if run not in known]

    def add_nameless(self, keep_s: float, present: datetime) -> None:
        """Mark what was executed for no run, such as for the gate, by the age of its records."""
        for run in self._nameless:
            records = list(self._recorded(run))
            last = max((record.finished or record.started or "" for record in records), default="")
            young = _is_recent(last, keep_s, present)
            self._add_steps(map(_step_of, records), whole=young)

    def add_run(self, run: RunRecord, *, young: bool) -> None:
        """Mark what a run made."""
        steps = [
            (
                step.get("key"),
                step.get("record"),
                cast("Mapping[str, str]", step.get("outputs", {})),
            )
            for step in run.steps.values()
        ]
        self._add_steps(steps, whole=young)
        if run.run in self._open:
            self._add_steps(map(_step_of, self._recorded(run.run)), whole=young)

    def _recorded(self, run: str) -> Iterator[ExecutionRecord]:
        """Yield the records of the steps of a run of which only these are there."""
        for key in self._records.get(run, ()):
            try:
                record = read_record(self._store, key)
            except UserError:
                self._damaged(key)
                continue
            if record:
                yield record

    def _add_steps(
        self, steps: Iterable[tuple[Any, Any, Mapping[str, str]]], *, whole: bool
    ) -> None:
        for key, record, outputs in steps:
            trees = set(outputs.values())
            self.found.named |= trees
            if whole:
                self.found.whole |= trees
            if isinstance(key, str):
                self._results[key] = frozenset(trees)
                if whole:
                    self.found.keys.add(result_key(key))
            if isinstance(record, str):
                self._made.setdefault(record, set()).update(trees)
                for tree in trees:
                    self._makers.setdefault(tree, set()).add(record)

    def add_claims(self) -> None:
        """Mark the results of steps that an engine holds a claim on."""
        for key in self._keys:
            if key.startswith(CLAIMS):
                step_key = key.removeprefix(CLAIMS).removesuffix(".json")
                self.found.keys.add(result_key(step_key))
                self.found.whole |= self._results.get(step_key, frozenset())

    def add_releases(self) -> None:
        """Mark every release that is registered or stands in a log, and what it rests on."""
        waiting: list[str] = []
        for key in self._keys:
            if kind_of(key) in _RELEASED:
                try:
                    value = json.loads(self._store.get(key))
                    waiting += _released(value)
                    self.found.whole |= _named_in(value)  # such as what the gate compared
                except KeyMissing:
                    continue
                except (ValueError, RecursionError):
                    self._damaged(key)
        seen: set[str] = set()
        while waiting:
            tree = waiting.pop()
            if tree in seen:
                continue
            seen.add(tree)
            self.found.whole.add(tree)
            for record in self._makers.get(tree, ()):
                self.found.whole |= self._made[record]
                waiting += self._inputs(record)

    def _inputs(self, record: str) -> Iterator[str]:
        """Yield what a step took; of what it compared with others only mark it."""
        try:
            ingredients = read_ingredients(self._store, record)
        except UserError as error:
            self._problems.append(Problem(record, error.what, error.fix))
            return
        inputs = cast("Mapping[str, Any]", (ingredients or {}).get("inputs", {}))
        for value in inputs.values():
            if isinstance(value, list):
                self.found.whole |= set(cast("list[str]", value))
            elif isinstance(value, str):
                yield value

    def add_contents(self) -> None:
        """Mark listings, blobs and results of all marked trees."""
        self.found.named |= self.found.whole
        contents = KeptContents(self._store, self._keys, self._damaged)
        self.found.keys |= contents.of_trees(self.found.named, self.found.whole)
        self.found.keys |= contents.of_documents()
        self.found.keys |= {
            result_key(key) for key, trees in self._results.items() if trees <= self.found.whole
        }

    def _damaged(self, key: str) -> None:
        self._problems.append(Problem(key, f"{key} is damaged", ""))

    def refuse_damage(self) -> None:
        """Refuse to say what is marked where a record cannot be read.

        Raises:
            UserError: What lies under these keys is damaged.
        """
        keys = sorted({problem.key for problem in self._problems})
        if keys:
            raise UserError(
                f"nothing is removed from {self._store.uri}: {len(keys)} records are damaged, so "
                f"nobody knows what rests on them: {', '.join(keys[:5])}",
                f"slimline verify --quarantine --store {self._store.uri} moves them out of the "
                "way; what they alone rested on may then be removed",
            )


def _released(note: object) -> list[str]:
    """Return the trees of all releases that a note or an entry of a log names.

    Raises:
        ValueError: It names none.
    """
    if not isinstance(note, dict):
        raise ValueError("no object")  # noqa: TRY004 told by the caller
    content = cast("dict[str, Any]", note)
    previous = content.get("previous")
    found = [content.get("release")]
    if isinstance(previous, dict):
        found.append(cast("dict[str, Any]", previous).get("release"))
    trees = [tree for tree in found if isinstance(tree, str)]
    if not trees:
        raise ValueError("no release")
    return trees


def _named_in(value: object) -> set[str]:
    """Return every text in a value of JSON that may be the digest of a tree."""
    if isinstance(value, dict):
        items = cast("dict[str, object]", value).values()
        return set[str]().union(*map(_named_in, items))
    if isinstance(value, list):
        return set[str]().union(*map(_named_in, cast("list[object]", value)))
    return {value} if isinstance(value, str) and _DIGEST.fullmatch(value) else set()


def _step_of(record: ExecutionRecord) -> tuple[str | None, str, Mapping[str, str]]:
    """Return step key, record and outputs of an execution."""
    return record.key, record.record, record.outputs


def _is_young(run: RunRecord, keep_s: float, present: datetime) -> bool:
    last = max(run.started, run.finished or "")
    return run.outcome == "running" or _is_recent(last, keep_s, present)


def _is_recent(at: str, keep_s: float, present: datetime) -> bool:
    """Whether a moment, ISO 8601 in UTC, is less than so many seconds ago, or nobody knows."""
    try:
        return (present - datetime.fromisoformat(at)).total_seconds() < keep_s
    except (ValueError, TypeError):
        return True
