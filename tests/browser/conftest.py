"""Chromium, and pages in it; where there is none, tests are skipped and say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, StorageState, expect

from components.contract.errors import UserError
from docs.chromium import chromium as started
from docs.chromium import chromium_path
from tests.browser.signing_in import Served, served
from tests.data.filled_store import fill, going_on

if TYPE_CHECKING:
    from tests.servers.kfp.cluster import LocalRun

Opened = Callable[..., BrowserContext]
PATIENCE_MS = 30_000
"""How long to wait for what has to come: no test asks how quick a page is."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One for all tests of a process."""
    try:
        chromium_path()
    except UserError as error:
        pytest.skip(f"{error.what}: {error.fix}")
    expect.set_options(timeout=PATIENCE_MS)
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
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def filled_place(tiny_run: LocalRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which every page has something to show; read only."""
    folder = tmp_path_factory.mktemp("filled")
    return fill(tiny_run.store, folder)


@pytest.fixture(scope="session")
def filled(
    chromium: Browser, filled_place: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """It, served; a run goes on in it, and no trigger starts another."""
    home = tmp_path_factory.mktemp("home")
    settings = home / "serve.yaml"
    settings.write_text("triggers: false\n")
    with (
        going_on(filled_place),
        served(chromium, filled_place, home, "--settings", str(settings)) as server,
    ):
        yield server
