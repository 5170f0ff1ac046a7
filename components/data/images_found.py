"""Images as they were found in a source, before anything is decided about them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceImage:
    """One image as it was found.

    Attributes:
        name: Its file, or file, ``#`` and place for a record.
        file: The file that holds it.
        label: Name of its class or identity.
        digest: Of its pixels; empty when it cannot be used.
        fault: Why it cannot be used; a word, a colon and details. Empty when it can.
        split: Lower-case word by which its source says where it is used; None where it does not.
        group: What its source says it belongs to (a site, a camera); None where it does not.
    """

    name: str
    file: str
    label: str
    digest: str
    fault: str = ""
    split: str | None = None
    group: str | None = None
