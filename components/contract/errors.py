"""The one error that a user's fault becomes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something the user gave cannot be used; nothing was written.

    Args:
        what: What is wrong, where, and what was expected there.
        fix: The command or the edit that puts it right.
    """

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what, fix)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  fix: {self.fix}"


def suggest(name: str, valid: Iterable[str]) -> str:
    """Return the sentence that helps after a misspelt name: the nearest valid one, then all."""
    names = sorted(valid)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    listed = f"valid here: {', '.join(names) or 'nothing'}"
    return f"did you mean {near[0]!r}? {listed}" if near else listed
