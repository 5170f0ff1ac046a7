"""Step keys: equal keys promise equal results, so a result is made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TypeAlias, cast

from components.contract.closure import code_digest
from components.contract.digests import canonical_json, digest
from components.contract.interface import interface_of
from components.devices.fingerprint import fingerprint
from pipelines.runs.graph import HOST, Step

SCHEMA = 1
"""Raised when the meaning of a record or of a tree changes, so that old results are misses."""

InputDigest = str | list[str] | None

Fingerprints: TypeAlias = Mapping[str, Mapping[str, str]]
"""What makes measurements on a device comparable, by the device's name."""

NO_OTHERS: Fingerprints = {}
"""For graphs that measure on this machine alone."""


@dataclass(frozen=True)
class Change:
    """What differs between two executions of a step.

    Attributes:
        what: Which ingredient, such as ``parameters.epochs`` or ``code``.
        before: Of a parameter, what it was; None where there was none.
        now: Of a parameter, what it is; None where it has gone.
    """

    what: str
    before: object = None
    now: object = None

    def __str__(self) -> str:
        """Return it in words: ``parameters.epochs: 3 -> 5``."""
        if not self.what.startswith("parameters."):
            return self.what
        before, now = (canonical_json(value).decode() for value in (self.before, self.now))
        return f"{self.what}: {before} -> {now}"


@dataclass(frozen=True)
class Ingredients:
    """Everything that a step's result hangs on, kept in its record so that a miss can be explained.

    Attributes:
        component: Name of the component.
        code: Digest of its source closure.
        environment: Digest of packages, Python and architecture of its image.
        inputs: Tree digest of what enters every port.
        parameters: Complete parameters, threads and seed included.
        device: Fingerprint of the measured device, for steps that measure time.
        schema: Version of records and trees.
        gpu: How many GPUs it computes on: they round differently than a CPU.
    """

    component: str
    code: str
    environment: str
    inputs: Mapping[str, InputDigest]
    parameters: Mapping[str, object]
    device: Mapping[str, str] | None
    schema: int = SCHEMA
    gpu: int = 0

    def to_json(self) -> dict[str, object]:
        """Return the canonical form that the key is the digest of.

        Without a GPU nothing is said of one, so that results from before there were any count.
        """
        content = asdict(self)
        if not self.gpu:
            del content["gpu"]
        return content

    @property
    def key(self) -> str:
        """The step key: 64 hexadecimal digits."""
        return digest("step", self.to_json())

    def changed_since(self, before: Mapping[str, object]) -> tuple[Change, ...]:
        """Name what differs from the ingredients of an earlier execution, most telling first."""
        now = self.to_json()
        whole = ("code", "environment", "device", "schema")
        changed = [Change(name) for name in whole if now[name] != before[name]]
        if now.get("gpu") != before.get("gpu"):
            changed.append(Change("gpu"))
        for group in ("parameters", "inputs"):
            old = cast("Mapping[str, object]", before[group])
            new = cast("Mapping[str, object]", now[group])
            if group == "parameters":
                old = self._renamed(old)
            for name in sorted({*old, *new}):
                values = (old.get(name), new.get(name))
                if values[0] != values[1]:  # of inputs they are digests, which tell nobody anything
                    shown = values if group == "parameters" else ()
                    changed.append(Change(f"{group}.{name}", *shown))
        return tuple(changed)

    def _renamed(self, old: Mapping[str, object]) -> dict[str, object]:
        """Return parameters of a record under the names that they have now."""
        parameters = interface_of(self.component).parameters
        names = {each.formerly.name: each.name for each in parameters if each.formerly}
        return {names.get(name, name): value for name, value in old.items()}


def ingredients_of(
    step: Step,
    inputs: Mapping[str, InputDigest],
    environment: str,
    devices: Fingerprints = NO_OTHERS,
) -> Ingredients:
    """Return what the key of ``step`` is made of.

    Args:
        step: The step.
        inputs: Tree digest of what enters every port.
        environment: Digest of the environment that it will run in.
        devices: Fingerprints of the devices that are not this machine, by their names.
    """
    return Ingredients(
        component=step.component,
        code=code_digest(step.component),
        environment=environment,
        inputs=inputs,
        parameters=step.parameters,
        device=_fingerprint(step, devices),
        gpu=step.gpu,
    )


def _fingerprint(step: Step, devices: Fingerprints) -> Mapping[str, str] | None:
    if step.device is None:
        return None
    return fingerprint() if step.device == HOST else devices[step.device]
