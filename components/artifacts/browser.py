"""What a page downloads to run a model, and how the browser ran it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from components.artifacts.json_file import JsonFile


@dataclass(frozen=True)
class WireBytes:
    """How many bytes go over the wire.

    Attributes:
        raw: As they are.
        gzip: After gzip, level 9.
        brotli: After brotli, quality 6: what servers compress with that do so as they answer.
    """

    raw: int
    gzip: int
    brotli: int

    def plus(self, other: WireBytes) -> WireBytes:
        """Return both together."""
        return WireBytes(self.raw + other.raw, self.gzip + other.gzip, self.brotli + other.brotli)


@dataclass(frozen=True)
class BrowserReport(JsonFile):
    """The content of ``browser.json``.

    Attributes:
        browser: What it calls itself, with its version.
        agent: What it tells servers of itself.
        isolated: Whether the page is isolated from other origins, so that it may have threads.
        cores: How many the page is told of.
        threads: Of the runtime.
        runtime_ms: From opening the page to a runtime that is ready; it came over the loopback
            interface, so a network adds what its bytes take.
        runs_per_sample: Of one sample, where a single run is too short for the page's clock.
        files: What the page loaded of the runtime.
        runtime: Their bytes.
        model: Bytes of the model.
    """

    FILE: ClassVar[str] = "browser.json"
    SCHEMA: ClassVar[int] = 1
    KIND: ClassVar[str] = "report of a browser"
    FIX_ABSENT: ClassVar[str] = "give the report of benchmark_browser"
    FIX_VERSION: ClassVar[str] = "run benchmark_browser again"

    browser: str
    agent: str
    isolated: bool
    cores: int
    threads: int
    runtime_ms: float
    runs_per_sample: int
    files: tuple[str, ...]
    runtime: WireBytes
    model: WireBytes

    @property
    def numbers(self) -> dict[str, float]:
        """What a page takes to run the model, as numbers by name."""
        both = self.runtime.plus(self.model)
        return {
            "runtime_ms": self.runtime_ms,
            "wire_bytes": both.raw,
            "wire_gzip_bytes": both.gzip,
            "wire_brotli_bytes": both.brotli,
        }
