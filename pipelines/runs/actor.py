"""Who did something that a record keeps: started a run, promoted a release."""

from __future__ import annotations

import os
import pwd
import socket

from components.contract.errors import UserError

VARIABLE = "SLIMLINE_ACTOR"
"""Names whoever acts, where the account of this machine does not: in CI, on a shared computer."""

_LENGTH_MAX = 200


def actor() -> str:
    """Return who acts: what ``$SLIMLINE_ACTOR`` says, else ``user@host``.

    Raises:
        UserError: The variable holds what cannot be shown on one line.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return f"{_account()}@{socket.gethostname()}"
    if not given.isprintable() or len(given) > _LENGTH_MAX:
        raise UserError(
            f"{VARIABLE} is {given[:_LENGTH_MAX]!r}: expected a name of at most {_LENGTH_MAX} "
            "printable characters",
            f"export {VARIABLE}=jane.doe@example.com",
        )
    return given


def _account() -> str:
    """Return the name of the account that this process runs under: variables may say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user that has no account
        return f"uid-{os.getuid()}"
