"""Forms: sent by a page of this server, small, and with just the fields that were asked for."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from starlette.types import Scope

from components.contract.errors import UserError
from pipelines.web.security.plain import header

CSRF = "csrf"
KIND = "application/x-www-form-urlencoded"
_MOST_FIELDS = 32
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")
_AGAIN = "load the page again, and send the form once more"


class RefusedFormError(UserError):
    """A form that no page of this server sent as it is."""


def check_origin(scope: Scope, *, https: bool) -> None:
    """Refuse what another site has sent.

    Args:
        scope: Of the request.
        https: Whether browsers reach this server by that alone.

    Raises:
        RefusedFormError: It has, or nothing tells that it has not.
    """
    origin, host = header(scope, "origin").lower(), header(scope, "host").lower()
    known = {f"https://{host}"} if https else {f"http://{host}", f"https://{host}"}
    site = header(scope, "sec-fetch-site") or "same-origin"
    if origin not in known or site != "same-origin":
        raise RefusedFormError(
            f"this form was sent by {origin or 'nobody knows which site'}, and not by a page of "
            "this server",
            "use the pages of this server; behind a proxy see that it passes on Host and Origin as "
            "it got them",
        )


def pairs_of(scope: Scope, body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form in their order.

    Raises:
        RefusedFormError: It is none.
    """
    kind = header(scope, "content-type").partition(";")[0].strip().lower()
    if body and kind != KIND:
        raise RefusedFormError(f"this is no form: it is {kind or 'nothing that was said'}", _AGAIN)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body),
            errors="strict", max_num_fields=_MOST_FIELDS,
        )  # fmt: skip
    except ValueError:
        raise RefusedFormError("this is no form", _AGAIN) from None
    for name, value in pairs:
        if _CONTROL.search(value):
            raise RefusedFormError(f"the field {name} holds a control character", "leave it out")
    return pairs


def read_form(
    pairs: Sequence[tuple[str, str]], csrf: Sequence[str] | None, fields: Sequence[str]
) -> Mapping[str, str]:
    """Return the fields of a form by their names.

    Args:
        pairs: As they were sent.
        csrf: One of these the pages of whoever asks send along; None: they proved with a header,
            which no page of another site can send, who they are.
        fields: Which there must be, and no others.

    Raises:
        RefusedFormError: It is not from a page that was made for whoever asks, or has other fields.
    """
    form = dict(pairs)
    sent = form.pop(CSRF, None)
    if csrf is not None and not any(_are_equal(sent or "", known) for known in csrf):
        raise RefusedFormError("this form was not made for you here", _AGAIN)
    if len(pairs) != len(form) + (sent is not None) or set(form) != set(fields):
        raise RefusedFormError(
            f"this form has the fields {', '.join(sorted(form)) or '(none)'}, and not just "
            f"{', '.join(sorted(fields)) or '(none)'}", _AGAIN,
        )  # fmt: skip
    return form


def _are_equal(sent: str, wanted: str) -> bool:
    return bool(wanted) and hmac.compare_digest(sent.encode(), wanted.encode())
