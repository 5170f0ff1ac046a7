"""What people do to releases through pages: promote, also against the gate, and roll back.

Both are commands of their own, as the gate evaluates models and every byte is read in the store.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.config.loading import load
from pipelines.runs.releases.release_log import read_log
from pipelines.web.jobs import JobOrder
from pipelines.web.pages.reasons import reason_of
from pipelines.web.pages.releases.release_rows import rows_of
from pipelines.web.pages.releases.releases import PROMOTE, ROLL_BACK
from pipelines.web.view import ActionRoute, View

_NOTHING = ("champion", "no winner", "unknown")


def promote(view: View) -> Response:
    """Ask the gate, and promote a release if it says yes."""
    return _promoted(view, "")


def force(view: View) -> Response:
    """Promote a release whatever the gate says; who does it answers for it."""
    return _promoted(view, reason_of(view))


def _promoted(view: View, forced: str) -> Response:
    name, run, reason = view.path["name"], view.form["run"], reason_of(view)
    with view.service.index() as index:
        found = rows_of(index, name, "release.run = ?", (run,))
    if not found:
        return view.missing(f"{name} has no release of {run}", "choose one of the list")
    if found[0].state in _NOTHING:
        raise UserError(
            f"the release of {run} is not one to promote: {found[0].state}", "choose another one"
        )
    why = f"--force={forced}" if forced else f"--reason={reason}"
    words = ("promote", why, *_settings(view, name))
    return _started(view, PROMOTE, f"{name}@{run}", words, reason)


def roll_back(view: View) -> Response:
    """Make an earlier champion the champion again."""
    name, to, reason = view.path["name"], view.form["to"], reason_of(view)
    log = read_log(view.service.store, name).check()
    if to not in {entry.run for entry in log.entries}:
        return view.missing(f"{to} was never the champion of {name}", "choose one of the list")
    words = ("rollback", f"--to={name}@{to}", f"--reason={reason}", *_settings(view, name))
    return _started(view, ROLL_BACK, name, words, reason)


def _started(view: View, kind: str, what: str, words: tuple[str, ...], reason: str) -> Response:
    order = JobOrder(kind, what, words, (what,), view.viewer.name, reason, view.at)
    view.service.jobs.start(order)
    forced = " against the gate" if any(word.startswith("--force=") for word in words) else ""
    view.record(f"{kind}{forced}", what, reason)
    begun = "The gate is asked" if kind == PROMOTE else "The rollback has begun"
    said = f"{begun}; the answer comes here."
    return view.done(f"/releases/{quote(view.path['name'], safe='')}", said)


def _settings(view: View, name: str) -> tuple[str, ...]:
    """Name the configuration of the service's own whose section ``releases`` counts, if any.

    A store keeps neither the key to sign with nor the address for apps.
    """
    path = next((one for one in view.service.settings.configs if _is_of(one, name)), None)
    return (f"--config={path.absolute()}",) if path else ()


def _is_of(path: Path, name: str) -> bool:
    return load(path).name == name


ROUTES: tuple[ActionRoute, ...] = (
    ActionRoute("/releases/{name}/promote", promote, "promote", ("run", "reason")),
    ActionRoute("/releases/{name}/force", force, "promote", ("run", "reason")),
    ActionRoute("/releases/{name}/rollback", roll_back, "promote", ("to", "reason")),
)
