"""Hastens the evaluation of triggers: whoever has put new data somewhere need not wait for it."""

from __future__ import annotations

from starlette.responses import Response

from components.contract.errors import UserError
from pipelines.web.view import ActionRoute, View


def wake(view: View) -> Response:
    """Have all triggers evaluated now; nothing else than would be done anyway, only sooner."""
    triggers = view.service.triggers
    if triggers is None:
        raise UserError(
            "this server evaluates no triggers", "its settings say so: triggers, or read_only"
        )
    triggers.wake()
    return view.done("/triggers", "Triggers are being evaluated.")


ROUTES = (ActionRoute("/wake", wake, "run"),)
