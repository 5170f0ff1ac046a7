"""Known results: what a step made, in an earlier run or in this one, and where it lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from components.contract.results import DISPLAY_NAME
from pipelines.runs.keys import InputDigest
from pipelines.runs.step_records import ExecutionRecord
from pipelines.stores.layout import step_of_record


@dataclass(frozen=True)
class KnownResult:
    """A result that an earlier run made.

    Attributes:
        key: Its step key.
        inputs: Digest of what entered every port.
        outputs: Tree digest of every output.
        record: Store key of the record that says how it came to be.
        function_s: Wall time of the component's function then.
        folder: Where its artifacts lie, below the pipeline root; None of a result that the store
            alone has.
        places: By output where it lies below that folder.
        metadata: By artifact what the metadata store of the cluster holds of it.
    """

    key: str
    inputs: Mapping[str, InputDigest]
    outputs: Mapping[str, str]
    record: str
    function_s: float
    folder: str | None
    places: Mapping[str, str] = field(default_factory=dict[str, str])
    metadata: Mapping[str, Mapping[str, str | float]] = field(
        default_factory=dict[str, Mapping[str, "str | float"]]
    )

    def key_of(self, output: str) -> str:
        """Return the key of an output below the pipeline root."""
        return f"{self.folder}/{self.places[output]}"

    def to_json(self) -> dict[str, Any]:
        """Return a form from which ``from_json`` makes an equal result."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> KnownResult:
        """Read what ``to_json`` wrote."""
        return cls(**value)

    @property
    def run(self) -> str:
        """The run that made it."""
        return step_of_record(self.record)[0]


def of_record(record: ExecutionRecord, root: str) -> KnownResult:
    """Return the result that an execution on the cluster made.

    Args:
        record: Of the execution.
        root: Address of the pipeline root.
    """
    assert record.key
    folder = record.folder.removeprefix(f"{root}/")
    return KnownResult(
        key=record.key,
        inputs=record.ingredients["inputs"],
        outputs=record.outputs,
        record=record.record,
        function_s=float(record.stated.get("wall_s", 0.0)),
        folder=folder,
        places=_places(record.stated, record.folder),
        metadata=metadata_of(record.stated),
    )


def _places(statement: Mapping[str, Any], folder: str) -> dict[str, str]:
    """Return by output where it lies below the folder of a step's artifacts."""
    return {
        output: str(said["uri"]).removeprefix(f"{folder}/")
        for output, said in statement["outputs"].items()
    }


def metadata_of(statement: Mapping[str, Any]) -> dict[str, Mapping[str, str | float]]:
    """Return by artifact the metadata that a step gave it.

    Args:
        statement: What the step stated.
    """
    result: Mapping[str, Any] = statement.get("artifact", {})
    of_result: Mapping[str, str | float] = result.get("metadata", {})
    called = {DISPLAY_NAME: of_result[DISPLAY_NAME]} if DISPLAY_NAME in of_result else {}
    beside = {
        output: {"digest": said["digest"], "size_bytes": said["size_bytes"], **called}
        for output, said in statement["outputs"].items()
    }
    return {**beside, **({result["name"]: of_result} if result else {})}
