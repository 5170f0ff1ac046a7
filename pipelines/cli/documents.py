"""What ``slimline explain --json`` and ``slimline runs --json`` print, key by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from components.statistics.quantities import decimal
from pipelines.config.configuration import Config
from pipelines.launch.explaining import Changed, Explanation, Upstream
from pipelines.runs.records import RunRecord

LISTED_RUN = (
    "run", "name", "outcome", "fault", "engine", "started", "finished", "wall_s", "config_digest",
)  # fmt: skip
"""What the list of runs says of one: keys of its record."""


@dataclass(frozen=True)
class ExplainedStep:
    """What would become of one step.

    Attributes:
        step: Its name.
        state: ``cached`` or ``run``.
        changed: What differs from its last execution, such as ``parameters.epochs``; ``new`` when
            there was none, ``result lost`` when the store no longer has all of it.
        upstream: The step that would run before and that this one waits for, or null.
    """

    step: str
    state: str
    changed: Sequence[str]
    upstream: str | None


@dataclass(frozen=True)
class Explained:
    """What a run of a configuration would do.

    Attributes:
        name: The configuration's name.
        config_digest: Digest of the resolved configuration without the places of files.
        steps: One entry each, in the order of the graph.
    """

    name: str
    config_digest: str
    steps: Sequence[ExplainedStep]


def explained_step(item: Explanation) -> ExplainedStep:
    """Return what would become of one step as the document has it."""
    reason = item.reason
    return ExplainedStep(
        step=item.step,
        state="run" if reason else "cached",
        changed=reason.what if isinstance(reason, Changed) else (),
        upstream=reason.step if isinstance(reason, Upstream) else None,
    )


def explained(config: Config, items: Sequence[Explanation]) -> Explained:
    """Return the document of ``slimline explain --json``."""
    return Explained(config.name, config.digest, [explained_step(item) for item in items])


def listed_run(record: RunRecord) -> dict[str, object]:
    """Return one entry of the document of ``slimline runs --json``: the keys of ``LISTED_RUN``."""
    content = {**asdict(record), "wall_s": float(decimal(record.wall_s))}
    return {key: content[key] for key in LISTED_RUN}
