"""Why somebody does something through a page."""

from __future__ import annotations

from components.contract.errors import UserError
from pipelines.web.view import View


def reason_of(view: View) -> str:
    """Return the reason that a form gives, on one line.

    Raises:
        UserError: It gives none, or one that cannot be shown.
    """
    reason = " ".join(view.form["reason"].split())
    if not reason or not reason.isprintable():
        raise UserError("a reason is missing", "say in a few words why: others will read it")
    return reason
