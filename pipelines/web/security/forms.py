"""Forms: sent by a page of this server, small, and with just the fields that were asked for."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from components.contract.errors import UserError

CSRF = "csrf"
MOST_BYTES = 64 * 1024


class RefusedFormError(UserError):
    """A form that no page of this server sent as it is."""


def check_origin(request: Request) -> None:
    """Refuse what another site has sent.

    Raises:
        RefusedFormError: It has, or nothing tells that it has not.
    """
    origin = request.headers.get("origin", "")
    if not origin or urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise RefusedFormError(
            f"this form was sent by {origin or 'nobody knows which site'}",
            "use the pages of this server",
        )


def read_form(body: bytes, csrf: str, fields: Sequence[str]) -> Mapping[str, str]:
    """Return the fields of a form.

    Args:
        body: As it was sent.
        csrf: What the pages of whoever asks send along.
        fields: Which there must be, and no others.

    Raises:
        RefusedFormError: It is none, or not from a page that was made for whoever asks.
    """
    again = "load the page again, and send the form once more"
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=32
        )
    except ValueError:
        raise RefusedFormError("this is no form", again) from None
    form = dict(pairs)
    sent = form.pop(CSRF, "")
    if not csrf or not hmac.compare_digest(sent.encode(), csrf.encode()):
        raise RefusedFormError("this form was not made for you here", again)
    if len(pairs) != len(form) + 1 or set(form) != set(fields):
        raise RefusedFormError(
            f"this form has the fields {', '.join(sorted(form)) or '(none)'}, and not "
            f"{', '.join(sorted(fields)) or '(none)'}", again,
        )  # fmt: skip
    return form
