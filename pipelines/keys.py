"""Step keys: equal keys promise equal results, so a result is made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from components.closure import code_digest
from components.devices.fingerprint import fingerprint
from components.digests import digest
from components.environment import environment_digest
from pipelines.graph import Step

SCHEMA = 1
"""Raised when the meaning of a record or of a tree changes, so that old results are misses."""

InputDigest = str | list[str] | None


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
    """

    component: str
    code: str
    environment: str
    inputs: Mapping[str, InputDigest]
    parameters: Mapping[str, object]
    device: Mapping[str, str] | None
    schema: int = SCHEMA

    def to_json(self) -> dict[str, object]:
        """Return the canonical form that the key is the digest of."""
        return {
            "component": self.component,
            "code": self.code,
            "environment": self.environment,
            "inputs": dict(self.inputs),
            "parameters": dict(self.parameters),
            "device": dict(self.device) if self.device else None,
            "schema": self.schema,
        }

    @property
    def key(self) -> str:
        """The step key: 64 hexadecimal digits."""
        return digest("step", self.to_json())

    def changed_since(self, before: Mapping[str, object]) -> tuple[str, ...]:
        """Name what differs from the ingredients of an earlier execution, most telling first."""
        now = self.to_json()
        changed: list[str] = []
        for name in ("code", "environment", "device", "schema"):
            if now[name] != before[name]:
                changed.append(name)
        for group in ("parameters", "inputs"):
            old = cast("Mapping[str, object]", before[group])
            new = cast("Mapping[str, object]", now[group])
            changed += [
                f"{group}.{name}" for name in sorted({*old, *new}) if old.get(name) != new.get(name)
            ]
        return tuple(changed)


def ingredients_of(step: Step, inputs: Mapping[str, InputDigest]) -> Ingredients:
    """Return what the key of ``step`` is made of, once the digests of its inputs are known."""
    interface = step.interface
    return Ingredients(
        component=step.component,
        code=code_digest(step.component),
        environment=environment_digest(interface.image),
        inputs=inputs,
        parameters=step.parameters,
        device=fingerprint() if interface.measures_time else None,
    )
