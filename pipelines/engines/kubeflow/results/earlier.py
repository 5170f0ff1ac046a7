"""Earlier results: what runs of the past made of the same ingredients, and where it lies.

A result of the cluster lies in the pipeline root, and its record in the store says in which folder.
It is found by what the step key is made of, except for what nobody here can know: the code and the
packages of an image that this machine did not build, and the node that will measure. A device that
pods have to reach is known by what it said of itself; one that never did is measured anew. An image
is the same where its digest is, so whatever ran in it is what would run again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from components.contract.closure import code_digest
from components.contract.digests import digest
from components.contract.errors import UserError
from components.contract.types import ImageName
from pipelines.config.kubeflow import Kubeflow
from pipelines.engines.kubeflow.results.known_results import KnownResult, of_record
from pipelines.images.building import image_environment, step_environment
from pipelines.runs.cache import Cache
from pipelines.runs.graph import Step
from pipelines.runs.joined_records import read_joined
from pipelines.runs.kept.cluster_results import KUBEFLOW
from pipelines.runs.keys import NO_OTHERS, Fingerprints, Ingredients, InputDigest
from pipelines.runs.records import parse_record, run_ids
from pipelines.runs.results import CachedResult
from pipelines.runs.step_records import ExecutionRecord, parse_execution
from pipelines.stores.layout import RUNS, run_key, step_of_record
from pipelines.stores.store import KeyMissing, Store

PLACEMENT = "placement"
"""What a record of the cluster says besides: on which kind of node a measurement was asked for."""

_RUNS_MAX = 50
"""So many runs are looked through, the newest first; each names all results that it relied on."""

_UNKNOWN_HERE = ("code", "environment", "device")


def placement(step: Step, settings: Kubeflow) -> dict[str, Any]:
    """Return on which kind of node a step runs; for steps that measure, that is what is measured.

    Args:
        step: The step.
        settings: The section `kubeflow` of the configuration.
    """
    given = settings.resources.get(step.component)
    return given.model_dump(mode="json", exclude_defaults=True) if given and step.alone else {}


class EarlierResults:
    """Finds what the last runs of a configuration made.

    Args:
        cache: Where their records, and results of engines of one machine, are kept.
        name: The configuration's name.
        root: Address of the pipeline root; what lies elsewhere pods might not be able to read.
        settings: The section `kubeflow` of the configuration.
        images: The name with digest that pods pull every image by.
        devices: Fingerprints of the devices that pods have to reach, as far as they are known.
    """

    def __init__(
        self,
        cache: Cache,
        name: str,
        root: str,
        settings: Kubeflow,
        images: Mapping[ImageName, str],
        devices: Fingerprints = NO_OTHERS,
    ) -> None:
        self._cache = cache
        self._root = root
        self._settings = settings
        self._images = images
        self._devices = devices
        self._found: dict[str, list[ExecutionRecord]] = {}
        self._codes: dict[tuple[str, str], set[str]] = {}
        self._coming = _records(cache.store, name)

    def find(self, step: Step, inputs: Mapping[str, InputDigest]) -> KnownResult | None:
        """Find what a step would make of these inputs, or None where nobody has made it.

        Args:
            step: The step.
            inputs: Digest of what enters every port.
        """
        device = self._devices.get(step.device or "") if step.elsewhere else None
        if step.elsewhere and device is None:
            return None
        wanted = Ingredients(
            component=step.component,
            code="",
            environment=step_environment(step.component, image_environment(step.image)),
            inputs=inputs,
            parameters=step.parameters,
            device=device,
            gpu=step.gpu,
        )
        if found := self._of_the_cluster(step, wanted):
            return found
        return None if step.alone else self._of_this_machine(step, wanted)

    def _of_the_cluster(self, step: Step, wanted: Ingredients) -> KnownResult | None:
        wanted_key = _lookup_key(wanted.to_json())
        seen = 0
        while True:
            for record in self._found.get(wanted_key, ())[seen:]:
                seen += 1
                if self._counts(record, step, wanted):
                    return of_record(record, self._root)
            record = next(self._coming, None)
            if record is None:
                return None
            self._take(record)

    def _take(self, record: ExecutionRecord) -> None:
        if record.engine != KUBEFLOW or record.outcome != "ok" or not record.key:
            return
        if record.image:
            self._codes.setdefault((record.component, record.image), set()).add(
                record.ingredients["code"]
            )
        self._found.setdefault(_lookup_key(record.ingredients), []).append(record)

    def _counts(self, record: ExecutionRecord, step: Step, wanted: Ingredients) -> bool:
        """Whether the step would do now what was done then, at a place where it is found."""
        if not record.folder.startswith(f"{self._root}/") or not in_one_result(record.stated):
            return False
        if step.alone and record.stated.get(PLACEMENT, {}) != placement(step, self._settings):
            return False
        made_of = record.ingredients
        if step.elsewhere and made_of["device"] != wanted.device:
            return False
        if record.image and record.image == self._image(step):
            return True
        return made_of["environment"] == wanted.environment and made_of[
            "code"
        ] in self._codes_of_image(step)

    def _codes_of_image(self, step: Step) -> set[str]:
        """Return the code of a component in the image of now, as far as that is known.

        An image that was pushed to a registry from here holds the code at hand. Of one that is
        named by its digest, only what ran in it tells.
        """
        if isinstance(self._settings.images, str):
            return {code_digest(step.component)}
        return self._codes.get((step.component, self._image(step)), set())

    def _image(self, step: Step) -> str:
        return self._images[step.image].rpartition("@")[2]

    def _of_this_machine(self, step: Step, wanted: Ingredients) -> KnownResult | None:
        for code in self._codes_of_image(step):
            ingredients = replace(wanted, code=code)
            found: CachedResult | None = self._cache.lookup(ingredients.key, renew=False)
            if found:
                return KnownResult(
                    found.key, wanted.inputs, found.outputs, found.record, found.function_s, None
                )
        return None


def in_one_result(statement: Mapping[str, Any]) -> bool:
    """Whether a step's outputs lie in its result; those of earlier versions were an artifact each.

    Args:
        statement: What the step stated.
    """
    outputs: Mapping[str, Mapping[str, Any]] = statement.get("outputs", {})
    return bool(outputs) and all("uri" in said for said in outputs.values())


def _lookup_key(ingredients: Mapping[str, Any]) -> str:
    known = {name: value for name, value in ingredients.items() if name not in _UNKNOWN_HERE}
    return digest("lookup", known)


def _records(store: Store, name: str) -> Iterator[ExecutionRecord]:
    """Yield the records that the last runs of a configuration rely on, newest run first.

    What is damaged is passed over: ``slimline verify`` names it, and its step runs again.
    """
    launched = run_ids(name)
    prefix = f"{RUNS}{name}-"
    runs = {
        run
        for key in store.list(prefix)
        if launched.fullmatch(run := key.removeprefix(RUNS).partition("/")[0])
        and key == run_key(run)
    }
    contents: dict[str, Mapping[str, bytes]] = {}
    told: set[str] = set()
    for run in sorted(runs, key=lambda run: run[len(name) :], reverse=True)[:_RUNS_MAX]:
        try:
            ended = parse_record(store.get(run_key(run)))
        except (KeyMissing, ValueError):
            continue
        if ended.engine != KUBEFLOW:
            continue
        for step in ended.steps.values():
            key = step.get("record")
            if not key or step["state"] not in ("done", "cached") or key in told:
                continue
            told.add(key)
            if record := _read(store, key, contents):
                yield record


def _read(
    store: Store, key: str, contents: dict[str, Mapping[str, bytes]]
) -> ExecutionRecord | None:
    """Return one record, with those of its run read at once."""
    run = step_of_record(key)[0]
    try:
        if run not in contents:
            contents[run] = read_joined(store, run) or {}
        data = contents[run].get(key)
        return parse_execution(store, key, store.get(key) if data is None else data)
    except (KeyMissing, UserError):
        return None
