// The page asks for itself again, and changes in place what is different. Where nothing is, the
// server answers 304 before it looks anything up.

const QUICK_MS = 2000, SLOW_MS = 10000, IDLE_MS = 300000;

let used = Date.now(), tag = null, failed = 0;

export function stayLive() {
  if (document.body.dataset.still !== undefined) return;
  for (const kind of ["pointermove", "keydown", "scroll"]) {
    addEventListener(kind, () => { used = Date.now(); }, { passive: true });
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  wait();
}

let timer = null;

function wait() {
  clearTimeout(timer);
  const idle = Date.now() - used > IDLE_MS;
  timer = setTimeout(look, (idle ? SLOW_MS : QUICK_MS) * Math.min(8, 2 ** failed));
}

// For who has changed the address: shows what is there, at once.
export function lookAgain() {
  tag = null;
  return look();
}

async function look() {
  clearTimeout(timer);
  if (document.hidden) return;
  const address = location.pathname + location.search;
  try {
    const headers = tag ? { "if-none-match": tag } : {};
    const answer = await fetch(address, { headers, redirect: "error" });
    if (address !== location.pathname + location.search) return;
    failed = 0;
    document.body.classList.remove("away");
    if (answer.status === 200) {
      tag = answer.headers.get("etag");
      show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } else if (answer.status === 401) {
      document.body.classList.add("away");
      return;
    }
  } catch {
    failed += 1;
    document.body.classList.add("away");
  }
  wait();
}

function show(page) {
  const said = document.querySelector("main > .said");
  morph(document.querySelector("main"), page.querySelector("main"), said);
  document.title = page.title;
  document.dispatchEvent(new Event("slimline:news"));
}

// What people did to the page stays: what they typed, opened and chose, and where they are.
const OWN = { DETAILS: ["open"], DIALOG: ["open"] };

function morph(before, after, kept) {
  if (before.isEqualNode(after)) return;
  if (before.nodeType !== Node.ELEMENT_NODE) {
    if (before.nodeValue !== after.nodeValue) before.nodeValue = after.nodeValue;
    return;
  }
  if (before.dataset?.own !== undefined) return;
  if (before.tagName === "TIME" && before.dateTime === after.dateTime) return;
  const own = OWN[before.tagName] ?? [];
  for (const { name } of [...before.attributes]) {
    if (!after.hasAttribute(name) && !own.includes(name)) before.removeAttribute(name);
  }
  for (const { name, value } of after.attributes) {
    if (before.getAttribute(name) !== value && !own.includes(name)) before.setAttribute(name, value);
  }
  if (["INPUT", "SELECT", "TEXTAREA"].includes(before.tagName)) return;
  const named = new Map([...before.children].filter((one) => one.id).map((one) => [one.id, one]));
  let place = before.firstChild;
  for (const next of [...after.childNodes]) {
    while (place && place === kept) place = place.nextSibling;
    const same = next.id ? named.get(next.id) : place;
    if (same && same !== place && next.id) {
      before.insertBefore(same, place);
      morph(same, next);
    } else if (same && same.nodeName === next.nodeName && (next.id || !same.id)) {
      place = same.nextSibling;
      morph(same, next);
    } else {
      before.insertBefore(document.importNode(next, true), place);
    }
  }
  while (place) {
    const rest = place.nextSibling;
    if (place !== kept) place.remove();
    place = rest;
  }
}
