"""Raw files: what a device's kernel and its tools say, read in one go and parsed here.

A device has a shell, ``cat`` and whatever tools its maker thought of; so nothing is picked out
there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MARK = "=slimline="
_FUNCTIONS = f"""\
show() {{
    for file; do
        [ -f "$file" ] || continue
        printf '\\n{_MARK} %s\\n' "$file"
        cat "$file" 2>/dev/null || printf '\\n{_MARK}denied'
    done
}}
say() {{
    command -v "$1" >/dev/null 2>&1 || return 0
    printf '\\n{_MARK} %s\\n' "$*"
    "$@" </dev/null 2>/dev/null
}}
"""
_SECTION = re.compile(rf"\n{_MARK} (.*)\n")


def reading_script(files: Iterable[str], commands: Iterable[str]) -> str:
    """Return a script that prints files and what commands print, those that are there.

    Args:
        files: Paths, patterns of the shell among them, without blanks.
        commands: Lines of words that are quoted for a shell where they have to be.
    """
    said = "".join(f"say {command}\n" for command in commands)
    return f"{_FUNCTIONS}show {' '.join(files)}\n{said}true\n"


@dataclass(frozen=True)
class RawFiles:
    """What such a script has printed.

    Attributes:
        texts: By path or command, in the order of the script.
        denied: Paths that are there and could not be read.
    """

    texts: Mapping[str, str]
    denied: tuple[str, ...]

    @classmethod
    def parse(cls, out: bytes) -> RawFiles:
        """Read what ``reading_script`` printed."""
        parts = _SECTION.split("\n" + out.decode(errors="replace"))
        texts: dict[str, str] = {}
        denied: list[str] = []
        for place, text in zip(parts[1::2], parts[2::2], strict=True):
            if text.endswith(f"\n{_MARK}denied"):
                denied.append(place)
            else:
                texts[place] = text
        return cls(texts, tuple(denied))

    def text(self, *places: str) -> str:
        """Return the first of these that says anything, without blanks at its ends; or nothing."""
        return next((found for place in places if (found := self._stripped(place))), "")

    def numbers(self, pattern: str) -> dict[str, float]:
        """Return the numbers in all files whose path matches, by path."""
        found: dict[str, float] = {}
        for place in self.texts:
            if re.fullmatch(pattern, place):
                try:
                    found[place] = float(self._stripped(place))
                except ValueError:
                    continue
        return found

    def refused(self, pattern: str) -> bool:
        """Whether files of this pattern are there, and none of them could be read."""
        read = any(re.fullmatch(pattern, place) for place in self.texts)
        return not read and any(re.fullmatch(pattern, place) for place in self.denied)

    def _stripped(self, place: str) -> str:
        return self.texts.get(place, "").strip("\0\r\n\t ")
