// Keeps what a page shows fresh: an operation's timeline by long polls, lists by looking again. Without it one reloads.
"use strict";

const LOOK_AGAIN_MS = 1000;
const PAUSE_AFTER_TROUBLE_MS = 2000;

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const seen = () => new Promise((resolve) => {
  if (!document.hidden) return resolve();
  document.addEventListener("visibilitychange", () => resolve(seen()), { once: true });
});

function away(is) {
  const told = is ? "Toygres doesn’t answer now. It is asked again by itself." : "";
  const place = document.querySelector("[data-away]");
  if (place.textContent !== told) place.textContent = told;
}

let failures = 0;

// The page or the part of it at `url`; null after a pause when there was no good answer. What is gone is told by a reload.
async function ask(url) {
  let status = 0;
  try {
    const answer = await fetch(url);
    status = answer.status;
    if (answer.ok) {
      const html = await answer.text();
      failures = 0;
      away(false);
      return html;
    }
  } catch {
    // Also when the browser leaves this page: so one failure isn't told.
  }
  failures += 1;
  away(failures > 1);
  if (status !== 401) await pause(PAUSE_AFTER_TROUBLE_MS);
  if (status >= 400 && status < 500) location.reload();
  return null;
}

const parsed = (html) => new DOMParser().parseFromString(html, "text/html");

// What tells an element from others of its kind, also once it is drawn anew.
function mark(element) {
  const form = element.closest("form");
  const named = element.closest("[id]");
  const ways = [element.getAttribute("href"), form && form.getAttribute("action")];
  return [element.tagName, named && named.id, ...ways].join(" ");
}

function replace(box, html) {
  const open = [...box.querySelectorAll("details[open]")].map((details) => details.id);
  const focused = box.contains(document.activeElement) ? mark(document.activeElement) : null;
  box.innerHTML = html;
  for (const id of open) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  if (focused === null) return;
  const again = [...box.querySelectorAll("a, button, summary, pre")].find((element) => mark(element) === focused);
  if (again) again.focus({ preventScroll: true });
}

async function follow(box) {
  const said = document.querySelector("[data-said]");
  let shown = box.querySelector("[data-revision]");
  while (shown && !("ended" in shown.dataset)) {
    const html = await ask(`${box.dataset.follow}?after_revision=${shown.dataset.revision}`);
    const fresh = html && parsed(html).querySelector("[data-revision]");
    if (!fresh || fresh.dataset.revision === shown.dataset.revision) continue;
    replace(box, html);
    shown = box.querySelector("[data-revision]");
    said.textContent = shown.dataset.summary;
  }
  finish();
}

function finish() {
  // An instance's page says much more than its timeline once the operation has ended.
  if (document.querySelector("[data-reload-at-end]")) return location.reload();
  document.querySelectorAll("[data-while-open]").forEach((part) => part.remove());
}

async function refresh(box) {
  let shown = box.innerHTML;
  for (;;) {
    await pause(LOOK_AGAIN_MS);
    await seen();
    const html = await ask(location.href);
    if (html === null) continue;
    const fresh = parsed(html).querySelector("[data-refresh]");
    if (!fresh) return location.reload();
    if (fresh.innerHTML === shown) continue;
    shown = fresh.innerHTML;
    replace(box, shown);
  }
}

function offerCopy(button) {
  // Browsers keep the clipboard from pages that came in clear from another machine.
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const copied = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(copied.textContent);
      button.textContent = "Copied";
    } catch {
      // The browser's user may not allow it: then it is chosen, for them to copy.
      getSelection().selectAllChildren(copied);
      button.textContent = "Chosen: copy it yourself";
    }
  });
}

for (const box of document.querySelectorAll("[data-follow]")) follow(box);
for (const box of document.querySelectorAll("[data-refresh]")) refresh(box);
for (const button of document.querySelectorAll("[data-copy]")) offerCopy(button);
