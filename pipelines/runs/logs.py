"""The logs of steps."""

from __future__ import annotations

from components.contract.errors import UserError, suggest
from pipelines.runs.records import read_run, read_value
from pipelines.stores.layout import log_key, step_of_record, step_record_key
from pipelines.stores.store import KeyMissing, Store


def read_log(store: Store, run: str | None, step: str) -> str:
    """Return what a step printed; of a cached step, what it printed when it was executed.

    Raises:
        UserError: There is no such run or step, or it never ran.
    """
    record = read_run(store, run)
    known = record.steps
    executed = known.get(step, {}).get("record") or step_record_key(record.run, step)
    try:
        return read_value(store, log_key(*step_of_record(executed))).decode(errors="replace")
    except KeyMissing:
        if record.page and step in known:
            raise UserError(
                f"the log of {step} is where run {record.run} ran, not in the store",
                f"open {record.page}",
            ) from None
        raise UserError(
            f"run {record.run} has no log of a step {step!r}", suggest(step, known)
        ) from None
