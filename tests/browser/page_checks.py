"""What must hold of every page, whatever is on it. Each check returns what is wrong, as sentences."""

from __future__ import annotations

from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request, Response

_AXE = Axe()
_TABBED = 400
"""So many elements of a page are gone through by Tab."""

_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth <= width) return [];
  const inside = (element) => {
    for (let e = element.parentElement; e && e !== document.body; e = e.parentElement) {
      if (getComputedStyle(e).overflowX !== 'visible') return true;
    }
    return false;
  };
  return [...document.body.querySelectorAll('*')]
    .filter((e) => e.getBoundingClientRect().right > width + 1 && !inside(e))
    .map((e) => `${e.tagName.toLowerCase()}.${e.getAttribute('class') ?? ''} ends at `
      + `${Math.round(e.getBoundingClientRect().right)} of ${width} px`)
    .slice(0, 5)
    .concat('the page scrolls sideways');
}"""

# What Tab must reach: what is seen and can be used. Of radio buttons of one name there is one stop.
_REACHABLE = """() => {
  const radios = new Set();
  const said = (e) => `${e.tagName.toLowerCase()} ${(e.getAttribute('aria-label') ?? e.textContent
    ?? '').trim().replace(/\\s+/g, ' ').slice(0, 40)} ${e.getAttribute('href') ?? e.id ?? ''}`;
  const wanted = [...document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex]')].filter((e) => {
      if (e.tabIndex < 0 || e.disabled || !e.checkVisibility({visibilityProperty: true})) return false;
      if (e.type !== 'radio') return true;
      const name = `${e.form?.action} ${e.name}`;
      return !radios.has(name) && radios.add(name);
    });
  window.tabbed = [];
  window.unmarked = [];
  const styles = (e) => {
    const style = getComputedStyle(e);
    return [style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow,
      style.borderColor, style.backgroundColor, style.textDecorationLine,
      // Of a link within a picture it is its box that shows it.
      ...[...e.querySelectorAll('rect, circle, path')].slice(0, 5).map((shape) => {
        const drawn = getComputedStyle(shape);
        return [drawn.stroke, drawn.strokeWidth, drawn.fill, drawn.outlineStyle].join();
      })].join();
  };
  const before = new Map(wanted.map((e) => [e, styles(e)]));
  document.addEventListener('focusin', ({target}) => {
    window.tabbed.push(target);
    const style = getComputedStyle(target);
    const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1
      && !/, 0\\)$|transparent/.test(style.outlineColor);
    if (!outlined && styles(target) === before.get(target)) window.unmarked.push(said(target));
  });
  window.wantedByTab = wanted;
  window.said = said;
  return wanted.length;
}"""
_MISSED = """() => [
  ...window.wantedByTab.filter((e) => !window.tabbed.includes(e) && !(e.type === 'radio'))
    .map((e) => `Tab does not reach: ${window.said(e)}`),
  ...window.unmarked.map((said) => `nothing shows that it has the focus: ${said}`),
]"""

# Relative times differ from one moment to the next, in the same page; what is data-own, scripts fill.
_CONTENT = """() => {
  const main = document.querySelector('main').cloneNode(true);
  for (const time of main.querySelectorAll('time')) time.textContent = time.dateTime;
  for (const own of main.querySelectorAll('[data-own]')) own.remove();
  return [...main.querySelectorAll('h1, h2, h3, th, td, dt, dd, li, p, a, summary, label, button')]
    .map((e) => e.textContent.trim().replace(/\\s+/g, ' '));
}"""


class Watched:
    """Listens to what goes wrong in a page, and to what it asks other servers for.

    Args:
        page: A page that is listened to from now on.
        origin: The only server that it may talk to.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self._origin = urlsplit(origin)[:2]
        self._wrong: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._wrong.append(f"script: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def faults(self) -> list[str]:
        """Return what went wrong since it was asked last."""
        wrong, self._wrong = self._wrong, []
        return wrong

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._wrong.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts[:2] != self._origin:
            self._wrong.append(f"asked another server: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self._wrong.append(f"{response.status} for {response.url}")


def document_faults(page: Page) -> list[str]:
    """Title, heading, language."""
    headings = page.locator("h1").count()
    return [
        *([] if page.title().strip() else ["the page has no title"]),
        *([] if headings == 1 else [f"{headings} elements h1, and not one"]),
        *([] if page.locator("html").get_attribute("lang") else ["the language is not told"]),
        *([] if page.locator("main").count() == 1 else ["there is not one main"]),
    ]


def accessibility_faults(page: Page) -> list[str]:
    """What axe finds."""
    found = _AXE.run(page).response["violations"]
    return [
        f"axe {one['id']}: {one['help']}: {node['html'][:160]} {node['failureSummary'][:240]}"
        for one in found
        for node in one["nodes"][:3]
    ]


def width_faults(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    return page.evaluate(_WIDE)


def focus_faults(page: Page) -> list[str]:
    """What Tab does not reach, and where the focus is not seen."""
    count = min(page.evaluate(_REACHABLE), _TABBED)
    for _ in range(count + 2):
        page.keyboard.press("Tab")
    return page.evaluate(_MISSED)


def content(page: Page) -> list[str]:
    """Return what is written on the page, without what changes from second to second."""
    return page.evaluate(_CONTENT)
