// Everything by keyboard: "/" finds, "g" and a letter goes to a page, j and k walk through rows.

const TYPING = "input:not([type=checkbox]):not([type=radio]):not([type=range]), select, textarea";

let going = 0;

export function followKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.(TYPING)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.target.closest?.("dialog[open]")) return;
    if (press(event.key)) event.preventDefault();
  });
}

function press(key) {
  if (Date.now() - going < 1500) {
    going = 0;
    const link = document.querySelector(`.menu a[data-key="${CSS.escape(key)}"]`);
    if (link) link.click();
    return Boolean(link);
  }
  if (key === "g") going = Date.now();
  else if (key === "/") document.querySelector(".find input").focus();
  else if (key === "?") document.getElementById("keys").showModal();
  else if (key === "j") walk(1);
  else if (key === "k") walk(-1);
  else return false;
  return true;
}

function walk(by) {
  const links = [...document.querySelectorAll("[data-rows] tbody tr, [data-rows] > li")]
    .map((row) => row.querySelector("a")).filter(Boolean);
  const row = document.activeElement?.closest("tr, li");
  const now = links.findIndex((link) => row?.contains(link));
  const next = links[Math.max(0, Math.min(links.length - 1, now + by))];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}
