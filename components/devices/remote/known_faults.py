"""Known faults: sentences of a client program, and what its user is told of each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from components.contract.errors import UserError


@dataclass(frozen=True)
class KnownFault:
    """A fault that a client program says in words of its own.

    Attributes:
        sentence: Regular expression that is found in them.
        what: What is wrong, and
        fix: what puts it right; with names in braces, which are filled in.
    """

    sentence: str
    what: str
    fix: str


def known_fault(err: str, faults: Iterable[KnownFault], **words: str) -> UserError | None:
    """Return the first fault of which a program speaks; None if it is none of these.

    Args:
        err: What the program printed.
        faults: Those that are known.
        **words: What is filled in.
    """
    for fault in faults:
        if re.search(fault.sentence, err):
            return UserError(fault.what.format(**words), fault.fix.format(**words))
    return None
