"""What people do with runs through pages: start, run again, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.config.configuration import Config
from pipelines.config.loading import load
from pipelines.launch import detached
from pipelines.launch.cancelling import cancel_run
from pipelines.triggers.kept import list_triggers, trigger_names
from pipelines.triggers.origins import origin_of
from pipelines.triggers.settings import Trigger
from pipelines.web.pages.reasons import reason_of
from pipelines.web.pages.runs.run_facts import find_run
from pipelines.web.pages.triggers.trigger_actions import launch
from pipelines.web.settings import ServeSettings
from pipelines.web.templating import segment
from pipelines.web.view import ActionRoute, PageRoute, View


@dataclass(frozen=True)
class Startable:
    """A configuration that pages may start.

    Attributes:
        key: What forms name it by.
        path: Its file.
        config: What is in it; None where that cannot be used.
        fault: Why not, or None.
    """

    key: str
    path: Path
    config: Config | None
    fault: UserError | None


def startable(settings: ServeSettings) -> list[Startable]:
    """Return the configurations of the settings, in their order."""
    found: list[Startable] = []
    for path in settings.configs:
        config, fault = None, None
        try:
            config = load(path)
        except UserError as error:
            fault = error
        found.append(Startable(_key(path), path, config, fault))
    return found


def can_start(view: View) -> bool:
    """Whether who asks may start runs, and there is anything that may be started."""
    if not view.may("run"):
        return False
    return bool(view.service.settings.configs or trigger_names(view.service.store))


def start_page(view: View) -> Response:
    """Show what may be started."""
    triggers, _ = list_triggers(view.service.store)
    return view.render(
        "start.html",
        title="Start a run",
        configs=startable(view.service.settings),
        triggers=triggers,
        engine=view.service.settings.engine,
    )


def start(view: View) -> Response:
    """Start a run of a configuration of the settings."""
    reason, wanted = reason_of(view), view.form["config"]
    paths = {_key(path): path for path in view.service.settings.configs}
    if wanted not in paths:
        raise UserError(
            "this configuration may not be started here any more", "choose one of those that may"
        )
    run = _started(view, paths[wanted])
    view.record("run", run, reason)
    return view.done(f"/runs/{segment(run)}", f"{run} is being started.")


def again(view: View) -> Response:
    """Run again what a run was made of."""
    record = find_run(view.service, view.path["run"])
    if record is None:
        raise UserError(
            f"this store holds no run {view.path['run']}", "choose one in the list of runs"
        )
    reason = reason_of(view)
    triggers, _ = list_triggers(view.service.store)
    origin = origin_of(record, view.service.settings.configs, triggers)
    match origin:
        case Trigger():
            return launch(view, origin.name, f"run {record.run} again: {reason}")
        case Path():
            run = _started(view, origin)
            view.record("run again", run, f"{record.run} again: {reason}")
            return view.done(f"/runs/{segment(run)}", f"{run} is being started.")
        case None:
            raise UserError(
                f"none of the configurations that may be started here is what {record.run} was "
                "made of: its file has changed since, or was never registered",
                _registered(view.service.settings.configs),
            )


def _registered(configs: Sequence[Path]) -> str:
    if not configs:
        return "name its file under configs: in the settings of this server, or slimline run CONFIG"
    return "start one of those that may be: /start; or slimline run CONFIG with the file as it was"


def _started(view: View, path: Path) -> str:
    settings, store = view.service.settings, view.service.store
    return detached.start(
        detached.Order(
            config=path,
            store=store.uri,
            actor=view.viewer.name,
            engine=settings.engine,
            cluster=settings.cluster,
        )
    )


def cancel(view: View) -> Response:
    """Have a run end."""
    run, reason = view.path["run"], reason_of(view)
    begins = detached.state(view.service.store, run)
    if find_run(view.service, run) is None and begins is None:
        raise UserError(f"this store holds no run {run}", "choose one in the list of runs")
    ended = cancel_run(
        view.service.store, run, actor=view.viewer.name, reason=reason,
        cluster=view.service.settings.cluster,
    )  # fmt: skip
    view.record("cancel", run, reason)
    said = "Its cluster was told to end it." if ended.cluster else "It ends within seconds."
    return view.done(f"/runs/{segment(run)}", said)


def _key(path: Path) -> str:
    return sha256(str(path).encode()).hexdigest()[:16]


ROUTES = (
    PageRoute("/start", start_page),
    ActionRoute("/start", start, "run", ("config", "reason")),
    ActionRoute("/runs/{run}/again", again, "run", ("reason",)),
    ActionRoute("/runs/{run}/cancel", cancel, "run", ("reason",)),
)
