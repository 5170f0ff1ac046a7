"""The Chromium of this machine, as screenshots and tests of pages use it. Nothing is downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from components.contract.errors import UserError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    # Digits and letters come out alike on machines with other screens and settings.
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    # Whatever a page may name: only servers of this machine are found.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def chromium_path() -> Path:
    """Return where Chromium is.

    Raises:
        UserError: It is not installed.
    """
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise UserError("there is no Chromium on this machine", "apt-get install chromium")


@contextmanager
def chromium() -> Generator[Browser]:
    """Start Chromium without a window, and end it.

    Raises:
        UserError: It is not installed.
    """
    # Its sandbox does not start for root, as whom a gate on a fresh machine runs.
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS, *root])
        try:
            yield browser
        finally:
            browser.close()
