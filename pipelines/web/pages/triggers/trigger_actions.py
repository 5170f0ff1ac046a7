"""What people do to triggers through pages."""

from __future__ import annotations

import shlex
from dataclasses import replace

from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.triggers.confirming import confirm as confirmed
from pipelines.triggers.kept import change_trigger, read_trigger, trigger_names
from pipelines.triggers.launch_states import Launch, State
from pipelines.triggers.launches import end, launches
from pipelines.triggers.settings import Trigger
from pipelines.web.jobs import JobOrder
from pipelines.web.pages.reasons import reason_of
from pipelines.web.pages.triggers.triggers import CONFIRM, RETRY, RUN, TEST
from pipelines.web.templating import segment
from pipelines.web.view import ActionRoute, View

_FAILED: tuple[State, ...] = ("dead letter", "failed")
_AGAIN: tuple[State, ...] = (*_FAILED, "skipped", "dismissed", "superseded", "cancelled")


def test(view: View) -> Response:
    """Have it looked what a tick would do now."""
    name = _named(view).name
    _start(view, TEST, ("triggers", "test"), (name,), "")
    return _done(view, "What a tick would do now is being found out; the answer comes here.")


def run(view: View) -> Response:
    """Launch it now, whatever its times and its data say."""
    return launch(view, _named(view).name, reason_of(view))


def launch(view: View, name: str, reason: str) -> Response:
    """Have a trigger launch now, from whatever page."""
    _start(view, RUN, ("triggers", "run", f"--reason={reason}"), (name,), reason)
    view.record("run trigger", name, reason)
    said = "It is launched; the run is listed here as soon as it has begun."
    return view.done(f"/triggers/{segment(name)}", said)


def pause(view: View) -> Response:
    """Start nothing until it is resumed."""
    name, reason = _named(view).name, reason_of(view)
    why = f"{reason}, by {view.viewer.name}"
    change_trigger(view.service.store, name, lambda one: replace(one, paused=why))
    view.record("pause trigger", name, reason)
    return _done(view, f"{name} is paused. What goes on is not ended by that.")


def resume(view: View) -> Response:
    """Start runs again, without those that were missed."""
    name, since = _named(view).name, view.at
    change_trigger(view.service.store, name, lambda one: replace(one, paused="", since=since))
    view.record("resume trigger", name, "")
    if view.service.triggers:
        view.service.triggers.wake(name)
    return _done(view, f"{name} is on again. Nothing before now is made up for.")


def retry(view: View) -> Response:
    """Try a launch again."""
    trigger = _named(view)
    key = _launch(view, trigger, _AGAIN).key
    _start(view, RETRY, ("triggers", "retry"), (trigger.name, key), "")
    view.record("retry launch", f"{trigger.name} {key}", "")
    return _done(view, "It is tried again; the run is listed here as soon as it has begun.")


def dismiss(view: View) -> Response:
    """Say that a launch that failed is not to be tried again."""
    trigger, reason = _named(view), reason_of(view)
    key, who = _launch(view, trigger, _FAILED).key, view.viewer.name
    end(view.service.store, trigger, key, "dismissed", reason, view.at, who)
    view.record("dismiss launch", f"{trigger.name} {key}", reason)
    return _done(view, "It is not tried again.")


def confirm(view: View) -> Response:
    """Take data that is held."""
    trigger, reason, who = _named(view), reason_of(view), view.viewer.name
    settings, held = view.service.settings, view.form["held"]
    attempt = confirmed(view.service.store, trigger, held, actor=who, reason=reason, at=view.now)
    view.record("confirm data", f"{trigger.name} {held}".strip(), reason)
    notify = (f"--notify={shlex.join(settings.notify)}",) if settings.notify else ()
    words = ("tick", f"--at-once={settings.at_once}", *notify)
    _start(view, CONFIRM, words, (trigger.name,), reason)
    return _done(view, f"The data is taken; its run is {attempt.run}.")


def _start(
    view: View, kind: str, words: tuple[str, ...], names: tuple[str, ...], reason: str
) -> None:
    view.service.jobs.start(
        JobOrder(kind, names[0], words, names, view.viewer.name, reason, view.at)
    )


def _named(view: View) -> Trigger:
    """Return the trigger that the address names.

    Raises:
        UserError: There is none.
    """
    name, store = view.path["name"], view.service.store
    if name not in trigger_names(store):
        raise UserError(f"no trigger is called {name}", "choose one of the list of triggers")
    return read_trigger(store, name)


def _launch(view: View, trigger: Trigger, states: tuple[State, ...]) -> Launch:
    """Return the launch that the form names.

    Raises:
        UserError: There is none, or it is not in one of these states by now.
    """
    found = launches(view.service.store, trigger).get(view.form["key"])
    state = found.state(trigger.retries) if found else None
    if found is None or state not in states:
        raise UserError(
            f"this launch of {trigger.name} is {state or 'not known'}",
            f"the page of {trigger.name} says how it stands now",
        )
    return found


def _done(view: View, said: str) -> Response:
    return view.done(f"/triggers/{segment(view.path['name'])}", said)


ROUTES: tuple[ActionRoute, ...] = (
    ActionRoute("/triggers/{name}/test", test, "run"),
    ActionRoute("/triggers/{name}/run", run, "run", ("reason",)),
    ActionRoute("/triggers/{name}/pause", pause, "run", ("reason",)),
    ActionRoute("/triggers/{name}/resume", resume, "run"),
    ActionRoute("/triggers/{name}/retry", retry, "run", ("key",)),
    ActionRoute("/triggers/{name}/dismiss", dismiss, "run", ("key", "reason")),
    ActionRoute("/triggers/{name}/confirm", confirm, "run", ("held", "reason")),
)
