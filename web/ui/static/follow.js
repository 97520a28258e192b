// Keeps an operation's timeline fresh by long polls. Without it one reloads the page.
"use strict";

const PAUSE_AFTER_TROUBLE_MS = 2000;

function replaceTimeline(box, html) {
  const open = [...box.querySelectorAll("details[open]")].map((details) => details.id);
  box.innerHTML = html;
  for (const id of open) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
}

async function follow(box) {
  const said = document.querySelector("[data-said]");
  let shown = box.querySelector("[data-revision]");
  while (shown && !("ended" in shown.dataset)) {
    try {
      const answer = await fetch(`${box.dataset.follow}?after_revision=${shown.dataset.revision}`);
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      const html = await answer.text();
      const fresh = new DOMParser().parseFromString(html, "text/html").querySelector("[data-revision]");
      if (!fresh || fresh.dataset.revision === shown.dataset.revision) continue;
      replaceTimeline(box, html);
      shown = box.querySelector("[data-revision]");
      said.textContent = shown.dataset.summary;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_AFTER_TROUBLE_MS));
    }
  }
  finish();
}

function finish() {
  // An instance's page says much more than its timeline once the operation has ended.
  if (document.querySelector("[data-reload-at-end]")) return location.reload();
  document.querySelectorAll("[data-while-open]").forEach((part) => part.remove());
}

for (const box of document.querySelectorAll("[data-follow]")) follow(box);
