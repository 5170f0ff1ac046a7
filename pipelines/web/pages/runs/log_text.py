"""What a step printed, as text of a page: without what only a terminal acts upon."""

from __future__ import annotations

import re
import unicodedata

_SEQUENCES = re.compile(
    r"\x1b\[[0-9;:?<=>]*[ -/]*[@-~]"  # colours and moves of the cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles, links
    r"|\x1b[@-Z\\^_=>78c]"
)
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n])")
"""What a progress bar has written over with the next of its states."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(data: bytes) -> str:
    """Return bytes of a log as a page shows them.

    A character that was cut at either end is left out. Of a line that was written over the last
    state stays. What is left and cannot be seen, or turns the direction of what follows, is
    escaped.
    """
    text = _whole(data).decode(errors="replace").replace("\r\n", "\n")
    text = _OVERWRITTEN.sub("", _SEQUENCES.sub("", text)).replace("\r", "")
    if text.isprintable():
        return text
    return "".join(_visible(letter) for letter in text)


def _visible(letter: str) -> str:
    if letter in "\n\t" or letter.isprintable():
        return letter
    if unicodedata.category(letter) not in _UNSEEN:
        return letter
    return letter.encode("unicode_escape", errors="surrogatepass").decode()


def _whole(data: bytes) -> bytes:
    """Return bytes without the parts of a character at their ends."""
    start = 0
    while start < min(3, len(data)) and 0x80 <= data[start] < 0xC0:
        start += 1
    return data[start : whole_until(data)]


def whole_until(data: bytes) -> int:
    """Return up to where bytes hold whole characters, so that the rest may still come."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if back < length else len(data)
    return len(data)
