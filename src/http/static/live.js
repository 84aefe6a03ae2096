// Keeps the page as it would be if it were asked for now. Everything is there without this script, too.
"use strict";

const PAUSE = 3000; // milliseconds between two updates, at the least
const OFTEN = 60000; // without news, so that ages and sparklines go on

const main = document.getElementById("main");
const live = document.getElementById("live");
let updating = false;
let due = null;
let last = 0;

function soon() {
  due ??= setTimeout(update, Math.max(0, last + PAUSE - Date.now()));
}

async function update() {
  due = null;
  if (updating) return soon();
  updating = true;
  last = Date.now();
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } });
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The server is away; the next event or minute tries again.
  }
  updating = false;
}

function show(page) {
  const next = page.getElementById("main");
  if (!next || next.innerHTML === main.innerHTML) return;
  const headline = () => main.querySelector("h1")?.textContent;
  const said = headline();
  // Whoever uses the keyboard stays at the same link.
  const address = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
  main.replaceChildren(...next.childNodes);
  document.title = page.title;
  document.getElementById("about").textContent = page.getElementById("about").textContent;
  if (address) [...main.querySelectorAll("a")].find((link) => link.getAttribute("href") === address)?.focus({ preventScroll: true });
  if (headline() !== said) live.textContent = `Updated: ${headline()}`;
}

// The reader's zone, for the server to write times in.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && zone !== document.documentElement.dataset.zone && !document.cookie.includes(`zone=${zone}`)) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=strict`;
  soon();
}

const events = new EventSource("/api/v1/events");
events.onopen = () => { live.textContent = "This page updates itself."; };
events.onerror = () => { live.textContent = "Not updated live just now."; };
for (const kind of ["incident", "status"]) events.addEventListener(kind, soon);
setInterval(() => { if (!document.hidden) soon(); }, OFTEN);
