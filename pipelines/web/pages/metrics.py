"""``/metrics``: what Prometheus asks for, in its text format 0.0.4.

Who asks has to be known as for any page: with a token in the header ``Authorization``, or through
the proxy. Names of runs and people are not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.triggers.kept import list_triggers
from pipelines.web.pages.health import resident_bytes
from pipelines.web.pages.triggers.trigger_rows import TriggerRow, row_of
from pipelines.web.service import Service
from pipelines.web.view import PageRoute, View

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Samples = Iterable[tuple[Mapping[str, str], float]]


def metrics(view: View) -> Response:
    """Return all of them; those of a store that does not answer are left out."""
    lines = [*_of_the_service(view.service, view.now)]
    try:
        lines += _of_the_store(view.service)
        lines += _of_the_triggers(view.service, view.now)
    except UserError:
        up = 0.0
    else:
        up = 0.0 if view.service.standing.fault else 1.0
    lines += metric("slimline_store_up", "gauge", "whether the store can be read", [({}, up)])
    return Response("\n".join([*lines, ""]), headers={"content-type": CONTENT_TYPE})


def metric(name: str, kind: str, told: str, samples: _Samples) -> Iterator[str]:
    """Yield the lines of one metric."""
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        words = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        yield f"{name}{{{words}}} {_number(value)}" if words else f"{name} {_number(value)}"


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _of_the_service(service: Service, now: datetime) -> Iterator[str]:
    health, (requests, took_s) = service.health(), service.requests.read()
    yield from metric(
        "slimline_info", "gauge", "the release of slimline", [({"release": health.release}, 1)]
    )
    yield from metric(
        "slimline_http_requests_total", "counter", "requests that were answered",
        (({"method": method, "status": str(status)}, count)
         for (method, status), count in sorted(requests.items())),
    )  # fmt: skip
    yield from metric(
        "slimline_http_request_seconds_total", "counter", "time that answers took, all together",
        [({}, took_s)],
    )  # fmt: skip
    yield from metric(
        "slimline_http_refused_total", "counter", "requests that were refused",
        [({}, health.refused)],
    )  # fmt: skip
    yield from metric(
        "slimline_bugs_total", "counter", "requests that ended in a fault of slimline's own",
        [({}, health.bugs)],
    )  # fmt: skip
    yield from metric(
        "slimline_resident_bytes", "gauge", "memory of the service", [({}, resident_bytes())]
    )
    yield from metric(
        "slimline_index_bytes", "gauge", "size of the index", [({}, health.index_bytes)]
    )
    if health.looked.at:
        yield from metric(
            "slimline_index_age_seconds", "gauge", "time since the store was looked at",
            [({}, (now - health.looked.at).total_seconds())],
        )  # fmt: skip
    untold = len(health.triggers.untold) if health.triggers else 0
    yield from metric(
        "slimline_notices_untold", "gauge", "latest notices that the command did not take",
        [({}, untold)],
    )  # fmt: skip


def _of_the_store(service: Service) -> Iterator[str]:
    counts = service.store_counts.read()
    yield from metric(
        "slimline_runs", "gauge", "runs by outcome",
        (({"outcome": outcome}, count) for outcome, count in counts.runs.items()),
    )  # fmt: skip
    states = [
        str(step["state"]) for progress in service.live.values() for step in progress.steps.values()
    ]
    yield from metric(
        "slimline_steps_running", "gauge", "steps that run now", [({}, states.count("running"))]
    )
    yield from metric(
        "slimline_steps", "gauge", "steps of runs by state",
        (({"state": state}, count) for state, count in counts.steps.items()),
    )  # fmt: skip
    yield from metric(
        "slimline_releases", "gauge", "releases by name and state",
        (({"name": name, "state": state}, count)
         for (name, state), count in counts.releases.items()),
    )  # fmt: skip
    yield from metric(
        "slimline_artifacts", "gauge", "artifacts by kind",
        (({"kind": kind.name}, kind.count) for kind in counts.kinds),
    )  # fmt: skip
    yield from metric(
        "slimline_artifact_bytes", "gauge", "bytes of artifacts by kind",
        (({"kind": kind.name}, kind.size_bytes) for kind in counts.kinds),
    )  # fmt: skip
    with service.index() as index:
        problems = index.one("SELECT count(*) FROM problem")
    yield from metric(
        "slimline_problems", "gauge", "values that are missing or damaged",
        [({}, problems[0] if problems else 0)],
    )  # fmt: skip


def _of_the_triggers(service: Service, now: datetime) -> Iterator[str]:
    whole, damaged = list_triggers(service.store)
    rows = [row_of(service, one, now) for one in whole]
    yield from metric(
        "slimline_trigger_last_tick_seconds", "gauge", "time since a trigger was evaluated",
        ((_named(row), (now - datetime.fromisoformat(row.ticks[0].tick.last)).total_seconds())
         for row in rows if row.ticks),
    )  # fmt: skip
    yield from metric(
        "slimline_trigger_dead_letters", "gauge", "launches that failed for good, undecided",
        ((_named(row), len(row.dead)) for row in rows),
    )  # fmt: skip
    for name, told, flags in (
        ("paused", "whether a trigger is paused", [bool(row.trigger.paused) for row in rows]),
        ("held", "whether its data waits for a person", [row.held is not None for row in rows]),
        ("overdue", "whether nobody has evaluated it", [bool(row.overdue) for row in rows]),
    ):
        samples = zip(map(_named, rows), map(float, flags), strict=True)
        yield from metric(f"slimline_trigger_{name}", "gauge", told, samples)
    yield from metric(
        "slimline_triggers_damaged", "gauge", "triggers that cannot be read", [({}, len(damaged))]
    )


def _named(row: TriggerRow) -> Mapping[str, str]:
    return {"trigger": row.trigger.name}


ROUTES: tuple[PageRoute, ...] = (PageRoute("/metrics", metrics, live=False),)
