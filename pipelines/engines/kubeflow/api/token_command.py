"""A command that prints who asks: run when it is needed, and again when the server refuses.

What it prints is the token itself, or an ``ExecCredential``, which credential plugins of kubectl
print (client.authentication.k8s.io), so ``kubelogin get-token`` and its like work as they are.
"""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from components.contract.errors import UserError

_TIME_LIMIT_S = 60.0
_EARLY_S = 30.0
"""A token that ends so soon is fetched anew: it would end on its way."""

_SHOWN_CHARACTERS_MAX = 300
_EXEC_CREDENTIAL = "ExecCredential"


class TokenCommand:
    """What a command prints, for as long as it is good.

    Args:
        words: Program and arguments.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self._text: str | None = None
        self._until: float | None = None

    def __str__(self) -> str:
        return f"`{shlex.join(self._words)}`"

    def read(self) -> str:
        """Return what the command printed, which is run where that is missing or has ended.

        Raises:
            UserError: It cannot be run, fails, or prints no token.
        """
        if self._text is None or (self._until and time.time() > self._until - _EARLY_S):
            printed = self._run()
            self._text, self._until = _credential(printed, str(self))
        return self._text

    def forget(self) -> None:
        """Have the command run again before the next request."""
        self._text = None

    def _run(self) -> str:
        try:
            done = subprocess.run(
                self._words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIME_LIMIT_S,
                check=False,
            )
        except OSError as error:
            raise UserError(
                f"{self} cannot be run: {error.strerror}",
                "correct the program under kubeflow: {auth: {command}}, or --token-command; no "
                "shell runs it, so a pipe or a variable needs sh -c '...'",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise UserError(
                f"{self} did not end within {_TIME_LIMIT_S:g} s; nobody can type anything into it",
                "run it by hand once, so that it has its login, or take a command that asks "
                "nothing",
            ) from error
        if done.returncode:
            said = _one_line(done.stderr or done.stdout) or "it says no more"
            raise UserError(
                f"{self} failed with exit code {done.returncode}: {said}",
                f"run it by hand until it prints a token: {shlex.join(self._words)}",
            )
        return done.stdout


def claims_of(token: str) -> Mapping[str, Any]:
    """Return what a JSON Web Token says of itself; nothing of one that is none.

    Nobody checks the signature here: it is only shown to people, and to know when it ends.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except ValueError:
        return {}
    return cast("dict[str, Any]", claims) if isinstance(claims, dict) else {}


def _credential(printed: str, command: str) -> tuple[str, float | None]:
    """Return what is sent, and until when it is good, in seconds of the clock."""
    text = printed.strip()
    if text.startswith("{"):
        return _exec_credential(text, command)
    if not text or "\n" in text:
        raise UserError(
            f"{command} printed {'nothing' if not text else f'{len(text.splitlines())} lines'}; "
            f"expected one line, the token, or an {_EXEC_CREDENTIAL} as JSON",
            "run it by hand; messages of a program belong on its standard error",
        )
    return text, _until_of(text)


def _exec_credential(text: str, command: str) -> tuple[str, float | None]:
    try:
        document: Any = json.loads(text)
        status: Any = {_EXEC_CREDENTIAL: document["status"]}[document["kind"]]
        token: str = status["token"]
        ends = status.get("expirationTimestamp")
        until = datetime.fromisoformat(ends).timestamp() if ends else None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"{command} printed JSON that is no {_EXEC_CREDENTIAL} with status.token",
            "take what prints the token alone, such as: kubectl create token ACCOUNT -n NAMESPACE",
        ) from error
    return token, until or _until_of(token)


def _until_of(token: str) -> float | None:
    until = claims_of(token).get("exp")
    return float(until) if isinstance(until, int | float) else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[-_SHOWN_CHARACTERS_MAX:]
