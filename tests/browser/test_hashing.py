"""A file is found by what it holds, and never leaves the browser."""

from __future__ import annotations

from hashlib import sha256

from playwright.sync_api import expect

from tests.browser.conftest import Opened
from tests.browser.signing_in import Served


def test_a_chosen_file_is_hashed_in_the_browser_and_not_sent(opened: Opened, filled: Served):
    page = opened(state=filled.state).new_page()
    asked: list[tuple[str, str | None]] = []
    page.on("request", lambda request: asked.append((request.method, request.post_data)))
    page.goto(filled.at("/lineage"), wait_until="load")
    held = b"a photograph of somebody"
    page.set_input_files("#file", {"name": "p.png", "mimeType": "image/png", "buffer": held})
    digest = sha256(held).hexdigest()
    page.wait_for_url(f"**/lineage/affected?sha={digest}")
    expect(page.get_by_role("heading", level=1)).to_contain_text("No release")
    assert {method for method, _ in asked} == {"GET"}
    assert not [body for _, body in asked if body]


def test_without_scripts_the_sha256_is_pasted(opened: Opened, filled: Served):
    page = opened(state=filled.state, scripts=False).new_page()
    page.goto(filled.at("/lineage"))
    expect(page.locator("#file")).to_have_count(0)
    page.fill("#sha", "ab" * 32)
    page.get_by_role("button", name="Find").first.click()
    assert page.url.endswith(f"/lineage/affected?sha={'ab' * 32}")
