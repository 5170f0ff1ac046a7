"""Text from outside, such that a terminal or a page shows it and does nothing else with it.

A name of a class or a file, or what a step printed, may hold control sequences that clear the
screen or write to the clipboard, marks that turn the direction of what follows, and characters
that nobody sees.

References:
    Boucher and Anderson, Trojan Source: Invisible Vulnerabilities (2021), on bidirectional marks.
"""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode: control, format (bidirectional and of no width), half of a pair, private,
not assigned, and separators of lines and paragraphs."""


def visible(text: str, *, keep: str = "\n") -> str:
    r"""Return a text in which everything that a reader would not see, or that acts, is escaped.

    Args:
        text: Any.
        keep: Control characters that stay.

    Example:
        >>> visible("a\x1b[2Jb\u202ec")
        'a\\x1b[2Jb\\u202ec'
    """
    if text.isprintable():
        return text
    return "".join(letter if letter in keep else _shown(letter) for letter in text)


def _shown(letter: str) -> str:
    if letter.isprintable() or unicodedata.category(letter) not in _UNSEEN:
        return letter
    return letter.encode("unicode_escape", errors="surrogatepass").decode()
