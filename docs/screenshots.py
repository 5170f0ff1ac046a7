"""Pictures of the pages, from the demo that ``slimline serve --demo`` shows.

``python -m docs.screenshots FOLDER`` starts it and writes of each page of ``SHOWN`` a picture of a
wide window in both themes and one of a narrow window; ``--address`` takes a server that runs.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import APIRequestContext, Browser
from starlette.routing import compile_path

from components.contract.errors import UserError
from docs.chromium import chromium
from docs.crawling import Answer, crawl

SHOWN: Mapping[str, str] = {
    "home": "/",
    "runs": "/runs",
}
"""By name of the picture the route of the page; of several addresses the first that is linked."""

_LOOKS: tuple[tuple[str, int, int, Literal["light", "dark"]], ...] = (
    ("", 1280, 860, "light"),
    ("-dark", 1280, 860, "dark"),
    ("-narrow", 400, 860, "light"),
)
_COLOURS = (128, 64, 32, 16)
_MOST_BYTES = 60_000


def addresses(begin: str, request: APIRequestContext) -> Mapping[str, str]:
    """Return an address of each page that is shown.

    Args:
        begin: Of the server's first page.
        request: Asks as somebody who has signed in.

    Raises:
        UserError: No link leads to one of them.
    """
    patterns = {route: compile_path(route)[0] for route in SHOWN.values()}

    def alike(path: str) -> object:
        return next((route for route, found in patterns.items() if found.match(path)), path)

    def ask(url: str) -> Answer:
        got = request.get(url)
        kind = got.headers.get("content-type", "").partition(";")[0]
        return Answer(got.status, kind, got.text() if kind == "text/html" else "")

    found: dict[object, str] = {}
    for url in crawl(begin, ask, alike=alike, most=2):
        parts = urlsplit(url)
        if not parts.query:
            found.setdefault(alike(parts.path), url)
    missing = [name for name, route in SHOWN.items() if route not in found]
    if missing:
        raise UserError(
            f"no link leads to {', '.join(missing)}", "see SHOWN in docs/screenshots.py"
        )
    return {name: found[route] for name, route in SHOWN.items()}


def take(browser: Browser, entrance: str, folder: Path) -> None:
    """Write all pictures.

    Args:
        browser: Shows the pages.
        entrance: The address that signs in.
        folder: Where the pictures go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(entrance)
    origin = "{0.scheme}://{0.netloc}/".format(urlsplit(entrance))
    for name, address in addresses(origin, context.request).items():
        for look, width, height, theme in _LOOKS:
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=theme)
            page.goto(address, wait_until="load")
            (folder / f"{name}{look}.png").write_bytes(small(page.screenshot()))
    context.close()


def small(png: bytes) -> bytes:
    """Return a picture with as many colours as fit in its bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in _COLOURS:
        written = io.BytesIO()
        drawn = picture.quantize(colours, dither=Image.Dither.NONE)
        drawn.save(written, "PNG", optimize=True)
        if written.tell() <= _MOST_BYTES:
            break
    return written.getvalue()


@contextmanager
def demo() -> Generator[str]:
    """Serve the demo, and return the address that signs in."""
    command = [sys.executable, "-m", "pipelines.cli", "serve", "--demo", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            for line in process.stderr:
                if found := re.search(r"https?://\S+", line):
                    yield found[0]
                    return
            raise UserError("the demo did not start", "slimline serve --demo")
        finally:
            process.terminate()


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(prog="python -m docs.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--address", help="with the code, as slimline serve prints it")
    given = parser.parse_args()
    with chromium() as browser:
        if given.address:
            take(browser, given.address, given.folder)
            return
        with demo() as entrance:
            take(browser, entrance, given.folder)


if __name__ == "__main__":
    main()
