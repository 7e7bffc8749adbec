/* The frame's keys, menus, dialogs, toasts, times. Pages add keys with `talkworthy.key("e", () => …)`. */
(function () {
  "use strict";
  const root = document.documentElement;
  const keys = new Map();
  const talkworthy = (window.talkworthy = {
    key(key, act) { keys.set(key, act); },
    list: { current, move },
    toast,
  });

  function typing(target) {
    return target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]") !== null;
  }

  /* Lists: j k Enter. The current row has the class `at` and the focus. */
  function items() { return [...document.querySelectorAll("[data-list] [data-item], [data-list][data-item]")].filter((item) => item.offsetParent !== null); }
  function current() { return document.querySelector("[data-item].at"); }
  function move(step) {
    const all = items();
    if (!all.length) return null;
    const at = all.indexOf(current());
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step))];
    choose(next);
    return next;
  }
  function choose(item) {
    document.querySelectorAll("[data-item].at").forEach((other) => other.classList.remove("at"));
    item.classList.add("at");
    if (!item.hasAttribute("tabindex")) item.tabIndex = -1;
    item.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
    item.dispatchEvent(new CustomEvent("talkworthy:chosen", { bubbles: true }));
  }
  document.addEventListener("pointerdown", (event) => {
    const item = event.target.closest("[data-list] [data-item]");
    if (item) { document.querySelectorAll("[data-item].at").forEach((other) => other.classList.remove("at")); item.classList.add("at"); }
  });
  function open(item) {
    const address = item && (item.dataset.open || item.querySelector("a")?.href);
    if (address) window.location.assign(address);
  }

  /* Keys */
  const places = new Map((document.body.dataset.go || "").trim().split(" ").filter(Boolean).map((pair) => { const cut = pair.indexOf("="); return [pair.slice(0, cut), pair.slice(cut + 1)]; }));
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !event.shiftKey && !event.altKey) {
      const box = document.getElementById("command");
      if (box) { event.preventDefault(); box.focus(); box.select(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    if (Date.now() - going < 1200 && places.has(event.key)) { event.preventDefault(); going = 0; window.location.assign(places.get(event.key)); return; }
    if (keys.has(event.key)) { event.preventDefault(); keys.get(event.key)(current(), event); return; }
    const named = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (named) { event.preventDefault(); named.click(); return; }
    const common = { "/": () => document.getElementById("command")?.focus(), "?": () => document.getElementById("help")?.showModal(), g: () => { going = Date.now(); }, j: () => move(1), k: () => move(-1),
      u: () => document.querySelector("#toasts [data-undo]")?.click() }[event.key];
    if (common) { event.preventDefault(); common(); return; }
    if (event.key === "Enter" && event.target.matches("[data-item]")) { event.preventDefault(); open(event.target); }
  });

  /* Menus close when one looks elsewhere. */
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details[data-menu][open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
    const opener = event.target.closest("[data-opens]");
    if (opener) { const dialog = document.getElementById(opener.dataset.opens); if (dialog) { event.preventDefault(); opener.closest("details[data-menu]")?.removeAttribute("open"); dialog.showModal(); } }
    if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
    if (event.target.matches("dialog.dialog")) event.target.close();
    const close = event.target.closest("[data-closes-toast]");
    if (close) close.closest("[data-toast]").remove();
    const copy = event.target.closest("[data-copy]");
    if (copy) copied(copy);
    const row = event.target.closest("tr[data-open]");
    if (row && !event.target.closest("a, button, input, label, summary, form") && !String(window.getSelection())) open(row);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = event.target.closest("details[data-menu][open]");
    if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
  });

  async function copied(button) {
    const said = button.querySelector("[data-copied]");
    try { await navigator.clipboard.writeText(button.dataset.copy); } catch {
      const range = document.createRange();
      range.selectNodeContents(button.parentElement.querySelector("code"));
      window.getSelection().removeAllRanges(); window.getSelection().addRange(range);
      return;
    }
    if (!said) return;
    const before = said.textContent;
    said.textContent = said.dataset.copied;
    window.setTimeout(() => { said.textContent = before; }, 1600);
  }

  /* Toasts: gone after ten seconds, unless somebody is at them. Errors stay. */
  function toast(text, kind) {
    const made = document.createElement("div");
    made.className = `toast ${kind || ""}`;
    made.dataset.toast = "";
    const words = document.createElement("p");
    words.textContent = text;
    const close = document.createElement("button");
    close.type = "button"; close.className = "close"; close.dataset.closesToast = ""; close.textContent = "×"; close.ariaLabel = document.body.dataset.dismiss;
    made.append(words, close);
    document.getElementById("toasts").append(made);
  }
  function watch(one) {
    if (one.classList.contains("error") || one.dataset.watched) return;
    one.dataset.watched = "1";
    let left = 10000;
    const timer = window.setInterval(() => {
      if (!one.isConnected) { window.clearInterval(timer); return; }
      if (!one.matches(":hover, :focus-within")) left -= 250;
      if (left <= 0) { window.clearInterval(timer); one.remove(); }
    }, 250);
  }
  const toasts = document.getElementById("toasts");
  if (toasts) {
    toasts.querySelectorAll("[data-toast]").forEach(watch);
    new MutationObserver(() => toasts.querySelectorAll("[data-toast]").forEach(watch)).observe(toasts, { childList: true, subtree: true });
  }

  /* The tab that one is on can be seen, however many there are. */
  document.querySelectorAll(".tabs [aria-current]").forEach((tab) => { const tabs = tab.closest(".tabs"); tabs.scrollLeft = tab.offsetLeft - tabs.offsetLeft - 24; });

  /* Times stay fresh. */
  const relative = new Intl.RelativeTimeFormat(root.lang || "en", { style: "short", numeric: "auto" });
  function freshen() {
    document.querySelectorAll("time.moment[datetime]").forEach((time) => {
      const seconds = (Date.parse(time.getAttribute("datetime")) - Date.now()) / 1000;
      const past = Math.abs(seconds);
      if (past < 45 || past >= 7 * 86400) return;
      const [size, unit] = past < 3600 ? [60, "minute"] : past < 129600 ? [3600, "hour"] : [86400, "day"];
      time.textContent = relative.format(Math.round(seconds / size), unit);
    });
  }
  window.setInterval(freshen, 30000);

  /* What is asked for again and again waits while nobody looks, and does not close a menu that is open. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    const asks = event.target;
    if (asks.getAttribute?.("hx-trigger")?.startsWith("every") && (document.hidden || (asks.id === "bell" && asks.querySelector("details[open]")))) event.preventDefault();
  });

  /* Work under way */
  let busy = 0;
  document.addEventListener("htmx:beforeRequest", (event) => { if (document.hidden && event.target.matches("[hx-trigger^=every]")) event.preventDefault(); }); /* nobody looks */
  document.addEventListener("htmx:beforeRequest", (event) => { if (event.target.closest("[data-silent]")) return; busy += 1; root.classList.add("htmx-busy"); });
  document.addEventListener("htmx:afterRequest", (event) => { if (event.target.closest("[data-silent]")) return; busy = Math.max(0, busy - 1); if (!busy) root.classList.remove("htmx-busy"); });
  const said = document.body.dataset;
  document.addEventListener("htmx:sendError", (event) => { if (!event.target.closest("[data-silent]")) toast(said.unreachable, "error"); });
  document.addEventListener("htmx:responseError", (event) => { if (!event.target.closest("[data-silent]")) toast(event.detail.xhr.status < 500 ? said.refused : said.failed, "error"); });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.once === undefined || event.defaultPrevented) return;
    form.querySelectorAll("button[type=submit]").forEach((button) => window.setTimeout(() => { button.setAttribute("aria-disabled", "true"); button.disabled = true; }, 0));
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form[data-once] button[disabled]").forEach((button) => { button.disabled = false; button.removeAttribute("aria-disabled"); }));

  /* What can be found out is not asked: the browser's time zone, once. */
  const ask = document.body.dataset.askTimezone;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (ask && zone) {
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["x-csrftoken"];
    fetch(ask, { method: "POST", headers: { "x-csrftoken": token }, body: new URLSearchParams({ timezone: zone }), redirect: "manual" });
  }
  document.querySelectorAll("[data-browser-zone]").forEach((place) => { place.textContent = zone; });
  void talkworthy;
})();
