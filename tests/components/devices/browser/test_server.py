"""What is served to a page: its files, to whoever knows the secret, with the headers for threads."""

from __future__ import annotations

from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from components.devices.browser.server import Posted, content_of, serving


def test_a_page_gets_its_files_and_is_isolated(tmp_path: Path) -> None:
    (tmp_path / "wasm").mkdir()
    (tmp_path / "wasm/a.wasm").write_bytes(b"\0asm")
    with serving({"page.html": b"<p>", "core": tmp_path}) as served:
        page = urlopen(served.url)
        assert page.read() == b"<p>"
        assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert urlopen(f"{served.url}core/wasm/a.wasm").headers["Content-Type"] == (
            "application/wasm"
        )
        assert served.served == ["", "core/wasm/a.wasm"]
        for path in ("absent", "core/absent"):
            with pytest.raises(HTTPError, match="404"):
                urlopen(served.url + path)


def test_without_the_secret_there_is_nothing(tmp_path: Path) -> None:
    with serving({"page.html": b"<p>"}) as served:
        root = served.url.rsplit("/", 2)[0]
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{root}/page.html")
        with pytest.raises(HTTPError, match="404"):
            urlopen(Request(f"{root}/done", data=b"{}"))
        assert served.posted.empty()


def test_what_is_posted_is_told_before_it_is_answered() -> None:
    told: list[str] = []
    with serving({}, told.append) as served:
        urlopen(Request(f"{served.url}blocks/begin", data=b'{"a": 1}'))
        assert told == ["blocks/begin"]
        assert served.posted.get() == Posted("blocks/begin", {"a": 1})


def test_no_path_leads_out_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "in/file").write_bytes(b"f")
    files = {"core": tmp_path / "in"}
    assert content_of(files, "core/file") == b"f"
    for path in ("core/../secret", "core//../secret", "../secret", "core", "core/"):
        assert content_of(files, path) is None
