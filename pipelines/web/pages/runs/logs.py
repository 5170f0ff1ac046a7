"""Logs as text: the part after an offset, for who follows, and the whole to be kept as a file."""

from __future__ import annotations

from starlette.responses import Response, StreamingResponse

from pipelines.runs.live.log_ranges import StepLog, open_logs
from pipelines.runs.records import RunRecord
from pipelines.web.pages.file_names import attachment
from pipelines.web.pages.runs.log_text import shown, whole_until
from pipelines.web.pages.runs.run import no_run
from pipelines.web.pages.runs.run_facts import find_run
from pipelines.web.pages.runs.step import chosen_log, no_step, offset_of
from pipelines.web.view import PageRoute, View

PART_BYTES = 256 * 1024
"""At most so much is given at a time; who follows asks again."""
_TEXT = "text/plain; charset=utf-8"


def follow(view: View) -> Response:
    """Give what a log holds after ``from``; 204 where that is nothing yet.

    The header ``x-log-next`` says where to go on, ``x-log-over`` that nothing more will come.
    """
    record = find_run(view.service, view.path["run"])
    name = view.path["step"]
    if record is None:
        return no_run(view)
    if name not in record.steps:
        return no_step(view, record)
    # A step that has ended has its whole log, and one that ends right now still looks as it did.
    over = record.steps[name].get("state") not in ("running", "waiting")
    log = _log(view, record)
    start = offset_of(view.query.get("from", "")) or 0
    data = log.read(start, start + PART_BYTES) if log else b""
    whole = len(data) if over else whole_until(data)
    headers = {"x-log-next": str(start + whole)}
    if over and log and start + whole >= log.size:
        headers["x-log-over"] = "yes"
    if over and log is None:
        headers["x-log-over"] = "yes"
    if not whole:
        return Response(status_code=204, headers=headers)
    return Response(shown(data[:whole]), media_type=_TEXT, headers=headers)


def raw(view: View) -> Response:
    """Give a whole log as a file, read part by part."""
    record = find_run(view.service, view.path["run"])
    name = view.path["step"]
    if record is None:
        return no_run(view)
    if name not in record.steps:
        return no_step(view, record)
    log = _log(view, record)
    if log is None:
        return view.missing(
            f"the store holds no log of {name} of run {record.run}",
            "a step has one as soon as it has begun",
        )
    headers = {"content-disposition": attachment(f"{record.run}-{name}-{log.attempt}.log")}
    return StreamingResponse(log.parts(), media_type=_TEXT, headers=headers)


def _log(view: View, record: RunRecord) -> StepLog | None:
    logs = open_logs(view.service.store, record, view.path["step"])
    return chosen_log(logs, view.query.get("attempt", ""))


ROUTES = (
    PageRoute("/runs/{run}/steps/{step}/log", follow, live=False),
    PageRoute("/runs/{run}/steps/{step}/log/raw", raw, live=False),
)
