// Relative times, kept true; as pipelines/web/templating.py writes them.

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function ago(seconds) {
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  const [length, unit] = UNITS.find(([length]) => size >= length);
  const told = `${Math.floor(size / length)} ${unit}`;
  return seconds > 0 ? `${told} ago` : `in ${told}`;
}

function tell() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const told = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== told) time.textContent = told;
  }
}

export function keepTimes() {
  tell();
  setInterval(tell, 5000);
  document.addEventListener("slimline:news", tell);
}
