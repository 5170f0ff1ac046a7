"""Settings of a browser as a device; they load nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


@dataclass(frozen=True, kw_only=True)
class BrowserSettings:
    """Which browser runs a model, and where its runtime is kept.

    Attributes:
        browser: Path or name of a Chromium or Chrome; null: the first that is installed.
        dir: The only folder that is written to: LiteRT.js, fetched by npm, is kept there.
    """

    browser: Annotated[str, Field(pattern=r"^[A-Za-z0-9_/.][A-Za-z0-9_/. -]*$")] | None = None
    dir: Annotated[str, Field(pattern=r"^(~|/)[A-Za-z0-9._/ -]*$")] = "~/.cache/slimline"
