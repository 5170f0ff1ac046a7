"""Origins: which configuration a run came from, among those that may be run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.contract.errors import UserError
from pipelines.compress import sources_of
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.runs.records import RunRecord
from pipelines.triggers.kept import config_of
from pipelines.triggers.running import actor_of
from pipelines.triggers.settings import Trigger


def origin_of(
    record: RunRecord, configs: Sequence[Path], triggers: Sequence[Trigger]
) -> Path | Trigger | None:
    """Return what a run can be run again from: the trigger that launched it, or what is the same.

    The same is a configuration of its name and digest whose files lie where those of the run did.
    What cannot be read is none.

    Args:
        record: Of the run.
        configs: Configuration files that may be run.
        triggers: The triggers of the store.

    Returns:
        None where nothing of them is what it came from, such as after a change of the file.
    """
    for trigger in triggers:
        if actor_of(trigger) == record.actor and _is_same(record, _read(trigger)):
            return trigger
    for origin in (*configs, *triggers):
        if _is_same(record, _read(origin)):
            return origin
    return None


def _read(origin: Path | Trigger) -> Config | None:
    try:
        return load(origin) if isinstance(origin, Path) else config_of(origin)
    except UserError:
        return None


def _is_same(record: RunRecord, config: Config | None) -> bool:
    if config is None or config.name != record.name or config.digest != record.config_digest:
        return False
    return not record.places or sources_of(config) == dict(record.places)
