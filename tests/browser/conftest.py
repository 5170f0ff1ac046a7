"""Chromium, and pages in it; where there is none, tests are skipped and say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState

from components.contract.errors import UserError
from docs.chromium import chromium as started
from docs.chromium import chromium_path

Opened = Callable[..., BrowserContext]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One for all tests of a process."""
    try:
        chromium_path()
    except UserError as error:
        pytest.skip(f"{error.what}: {error.fix}")
    with started() as browser:
        yield browser


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Opened]:
    """Makes browsers as people have them, each with its own cookies; see ``make``."""
    contexts: list[BrowserContext] = []

    def make(
        *,
        theme: str = "light",
        width: int = 1280,
        scripts: bool = True,
        state: StorageState | None = None,
    ) -> BrowserContext:
        context = chromium.new_context(
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": width, "height": 800},
            java_script_enabled=scripts,
            storage_state=state,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
