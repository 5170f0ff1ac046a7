"""Pictures of the pages, from the demo that ``slimline serve --demo`` shows.

``python -m docs.screenshots FOLDER --demo DIR`` starts it, waits until it is filled, and writes a
picture of each page of ``SHOWN``, in a wide window in light; ``--others DIR`` also those in dark
and in a narrow window, which no document shows. ``--address`` takes a server that runs.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import APIRequestContext, Browser

from components.contract.errors import UserError
from docs.chromium import chromium
from docs.crawling import asking, crawl, router
from pipelines.cli.demo import Demo
from pipelines.runs.records import list_runs
from pipelines.stores.opening import open_store
from pipelines.web.app import ROUTES
from pipelines.web.view import PageRoute

SHOWN: Mapping[str, str] = {
    "home": "/",
    "runs": "/runs",
    "timeline": "/timeline",
    "run": "/runs/{run}",
    "run-timeline": "/runs/{run}/timeline",
    "step": "/runs/{run}/steps/{step}",
    "board": "/runs/{run}/board",
    "compare": "/compare",
    "lineage": "/lineage/{what:path}",
    "verify": "/verify/{what:path}",
    "data": "/data",
    "dataset": "/data/{digest}",
    "images": "/data/{digest}/images",
    "data-changes": "/data/{before}/against/{now}",
    "releases": "/releases",
    "release": "/releases/{name}",
    "triggers": "/triggers",
    "trigger": "/triggers/{name}",
    "devices": "/devices",
    "health": "/health",
    "actions": "/actions",
    "start": "/start",
}
"""By name of the picture the route of the page; of several addresses the first that is linked."""

_OF_QUERY = ("/compare",)
"""What shows more where the address has a query; of all others the address without one is taken."""
_LOOKS: tuple[tuple[str, int, int, Literal["light", "dark"]], ...] = (
    ("", 1280, 860, "light"),
    ("-dark", 1280, 860, "dark"),
    ("-narrow", 400, 860, "light"),
)
"""What follows the name of the page, width, height, theme; the first is for documents."""
_COLOURS = (128, 64, 32, 16)
_MOST_BYTES = 60_000
_FILLED_S = 600
_SEEN_S = 5  # until the server has looked at the store again


def addresses(begin: str, request: APIRequestContext) -> Mapping[str, str]:
    """Return an address of each page that is shown.

    Args:
        begin: Of the server's first page.
        request: Asks as somebody who has signed in.

    Raises:
        UserError: No link leads to one of them.
    """
    route_of = router(route.path for route in ROUTES if isinstance(route, PageRoute))
    found: dict[str, str] = {}
    settled: set[str] = set()
    for url, visited in crawl(begin, asking(request), alike=route_of).items():
        parts = urlsplit(url)
        route = route_of(parts.path)
        wanted = bool(parts.query) == (route in _OF_QUERY)
        if visited.page and (route not in found or wanted > (route in settled)):
            found[route] = url
            settled |= {route} if wanted else set()
    missing = [name for name, route in SHOWN.items() if route not in found]
    if missing:
        raise UserError(
            f"no link leads to {', '.join(missing)}", "see SHOWN in docs/screenshots.py"
        )
    return {name: found[route] for name, route in SHOWN.items()}


def take(browser: Browser, entrance: str, folder: Path, others: Path | None) -> None:
    """Write the pictures.

    Args:
        browser: Shows the pages.
        entrance: The address that signs in.
        folder: Where the pictures for documents go.
        others: Where all others go; None for none of them.
    """
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(entrance)
    origin = "{0.scheme}://{0.netloc}/".format(urlsplit(entrance))
    for name, address in addresses(origin, context.request).items():
        for look, width, height, theme in _LOOKS if others else _LOOKS[:1]:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme)
            page.goto(address, wait_until="networkidle")
            place = others if others and look else folder
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{name}{look}.png").write_bytes(small(page.screenshot()))
    context.close()


def small(png: bytes) -> bytes:
    """Return a picture with as many colours as fit in its bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    found = b""
    for colours in _COLOURS:
        written = io.BytesIO()
        drawn = picture.quantize(colours, dither=Image.Dither.NONE)
        drawn.save(written, "PNG", optimize=True)
        found = written.getvalue()
        if len(found) <= _MOST_BYTES:
            break
    return found


@contextmanager
def demo(folder: Path) -> Generator[str]:
    """Serve the demo, wait until all of it is there, and return the address that signs in.

    Args:
        folder: Where the demo lies, or is laid out.

    Raises:
        UserError: It did not start, or was not there in time.
    """
    command = [sys.executable, "-m", "pipelines.cli", "serve", "--demo", str(folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            found = (re.search(r"https?://\S+", line) for line in process.stderr)
            entrance = next((match[0] for match in found if match), None)
            if entrance is None:
                raise UserError("the demo did not start", f"slimline serve --demo {folder}")
            _wait(Demo(folder.absolute()))
            yield entrance
        finally:
            process.terminate()


def _wait(demo: Demo) -> None:
    """Wait until the watch of the demo has retrained."""
    store = open_store(str(demo.store))
    began = time.monotonic()
    while time.monotonic() - began < _FILLED_S:
        runs = list_runs(store)
        trained = any(run.actor.startswith("trigger") and run.outcome == "done" for run in runs)
        if trained and all(run.outcome != "running" for run in runs):
            time.sleep(_SEEN_S)
            return
        time.sleep(1)
    raise UserError(f"the demo was not there after {_FILLED_S} s", f"see {demo.folder}/demo.log")


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(prog="python -m docs.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures for documents go")
    parser.add_argument("--others", type=Path, metavar="DIR", help="where all others go")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--demo", type=Path, help="where the demo lies, or is laid out")
    where.add_argument("--address", help="with the code, as slimline serve prints it")
    given = parser.parse_args()
    with chromium() as browser:
        if given.address:
            take(browser, given.address, given.folder, given.others)
            return
        with demo(given.demo) as entrance:
            take(browser, entrance, given.folder, given.others)


if __name__ == "__main__":
    main()
