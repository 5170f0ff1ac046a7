// A log that grows is followed by its offset: what is new is added at its end. Who has scrolled up
// to read stays there.

const QUICK_MS = 1000, MOST = 2000000;

export function followLogs() {
  follow();
  document.addEventListener("slimline:news", follow);
}

function follow() {
  for (const log of document.querySelectorAll("pre[data-log]")) {
    if (log.dataset.followed) continue;
    log.dataset.followed = "yes";
    log.scrollTop = log.scrollHeight;
    ask(log);
  }
}

async function ask(log) {
  let wait = QUICK_MS;
  if (!document.hidden) {
    try {
      const answer = await fetch(`${log.dataset.log}&from=${log.dataset.next}`, { redirect: "error" });
      if (answer.status === 200) {
        add(log, await answer.text());
        wait = 200;
      }
      if (answer.ok) log.dataset.next = answer.headers.get("x-log-next") ?? log.dataset.next;
      if (answer.headers.get("x-log-over") || answer.status === 404 || answer.status === 401) return;
    } catch {
      wait = 5000;
    }
  }
  if (log.isConnected) setTimeout(() => ask(log), wait);
}

function add(log, text) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(text);
  while (log.textContent.length > MOST && log.childNodes.length > 1) log.firstChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}
