// Relative times, kept true; as pipelines/web/templating.py writes them.

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function whole(size) {
  const [length, unit] = UNITS.find(([length]) => size >= length) ?? [1, "s"];
  return `${Math.floor(size / length)} ${unit}`;
}

export function ago(seconds) {
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  return seconds > 0 ? `${whole(size)} ago` : `in ${whole(size)}`;
}

function tell() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const age = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const told = time.dataset.since ? whole(Math.max(0, age)) : ago(age);
    if (time.textContent !== told) time.textContent = told;
  }
}

export function keepTimes() {
  tell();
  setInterval(tell, 1000);
  document.addEventListener("slimline:news", tell);
}
