/* The river: the opened post beside the list, new mentions, keys. Without it every link still leads to a page. */
(function () {
  "use strict";
  const listen = document.getElementById("listen");
  const pane = document.getElementById("pane");
  const list = document.getElementById("posts");
  const wide = window.matchMedia("(min-width: 64.01rem)");

  /* The opened post. Its number stands in the address, so that back, forward and sharing work. */
  function addressWith(number) {
    const address = new URL(window.location.href);
    if (number) address.searchParams.set("open", number); else address.searchParams.delete("open");
    return address;
  }
  let turns = 0;
  async function openBeside(row, { push = true } = {}) {
    const address = row.dataset.open;
    if (!listen || !pane || !wide.matches) { window.location.assign(address); return; }
    mark(row.dataset.post);
    const turn = ++turns;
    const answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (!answer.ok || answer.redirected) { window.location.assign(address); return; }
    const inside = await answer.text();
    if (turn !== turns) return; /* another post was opened meanwhile */
    pane.innerHTML = inside;
    window.htmx.process(pane);
    pane.scrollTop = 0;
    listen.classList.add("has-pane");
    row.scrollIntoView({ block: "nearest" });
    if (push) window.history.pushState({ open: row.dataset.post }, "", addressWith(row.dataset.post));
  }
  function closePane({ push = true } = {}) {
    turns += 1;
    if (!listen || !listen.classList.contains("has-pane")) return;
    listen.classList.remove("has-pane");
    pane.replaceChildren();
    mark(null);
    if (push) window.history.pushState({}, "", addressWith(null));
    window.talkworthy.list.current()?.focus({ preventScroll: true });
  }
  function mark(number) {
    document.querySelectorAll(".river-post.open").forEach((row) => row.classList.remove("open"));
    if (number) document.getElementById(`post-${number}`)?.classList.add("open");
  }
  window.addEventListener("popstate", () => {
    const number = new URL(window.location.href).searchParams.get("open");
    const row = number && document.getElementById(`post-${number}`);
    if (row) openBeside(row, { push: false }); else if (number) window.location.reload(); else closePane({ push: false });
  });
  const opened = new URL(window.location.href).searchParams.get("open");
  if (opened) mark(opened);

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close-pane]")) { closePane(); return; }
    const close = event.target.closest("[data-close-why]");
    if (close) { close.closest(".told").remove(); return; }
    const row = event.target.closest(".river-post[data-open]");
    if (!row || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    const link = event.target.closest("a, button, input, select, label, summary, form, .told");
    if (link && !link.matches("a.moment")) return;
    if (String(window.getSelection())) return;
    if (!listen || !wide.matches) { if (!link) window.location.assign(row.dataset.open); return; }
    event.preventDefault();
    openBeside(row);
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" && event.target.matches(".river-post[data-open]")) { event.preventDefault(); event.stopImmediatePropagation(); openBeside(event.target); }
    if (event.key === "Escape" && !document.querySelector("dialog[open], details[data-menu][open]") && !event.target.matches("input, textarea")) closePane();
  }, true);
  document.addEventListener("talkworthy:chosen", (event) => {
    if (listen?.classList.contains("has-pane") && wide.matches && event.target.matches(".river-post")) openBeside(event.target, { push: false });
  });

  /* Keys */
  function whyOf(row) { return row?.querySelector("[data-why]"); }
  function correct(row, value) {
    if (!row) return;
    const token = JSON.parse(document.body.getAttribute("hx-headers"))["x-csrftoken"];
    window.htmx.ajax("POST", `${row.dataset.open}correct/`, { target: `#why-${row.dataset.post}`, swap: "innerHTML", values: { task: "sentiment", new: value, csrfmiddlewaretoken: token } });
  }
  const key = window.talkworthy?.key;
  if (key && list) {
    key("y", (row) => { const place = row && document.getElementById(`why-${row.dataset.post}`); if (place?.childElementCount) place.replaceChildren(); else whyOf(row)?.click(); });
    key("e", (row) => { const whole = row?.querySelector("details.whole"); if (whole) whole.open = !whole.open; });
    key("c", (row) => { const copies = row?.nextElementSibling?.closest("[data-copies]") || row?.closest("[data-copies]"); if (copies) copies.open = !copies.open; });
    key("o", (row) => row?.querySelector("[data-published]")?.click());
    key("n", () => document.querySelector("[data-show-newer]:not([hidden])")?.click());
    key("f", () => document.getElementById("words")?.focus());
    key("1", (row) => correct(row, "positive"));
    key("2", (row) => correct(row, "neutral"));
    key("3", (row) => correct(row, "negative"));
  }

  /* A problem's fix at one press */
  document.addEventListener("click", (event) => {
    const fix = event.target.closest("[data-fix]");
    if (!fix) return;
    const box = document.getElementById("words") || document.getElementById("id_query");
    if (!box) return;
    box.value = fix.dataset.fix;
    box.focus();
    box.dispatchEvent(new Event("input", { bubbles: true }));
  });

  /* New mentions: asked for each second, only while somebody looks. */
  const newer = document.getElementById("newer");
  if (!newer || !list) return;
  const button = newer.querySelector("[data-show-newer]");
  const state = { version: newer.dataset.version, after: newer.dataset.after || "0", held: new Map(), full: false, asking: false, pause: 1000 };
  const isNewer = (id, than) => BigInt(id) > BigInt(than);
  button.addEventListener("click", show);
  async function ask() {
    if (document.hidden || state.asking) return;
    state.asking = true;
    try {
      const address = `${newer.dataset.newer}?${newer.dataset.address}&after=${state.after}&version=${state.version}`;
      const answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
      state.pause = 1000;
      if (answer.status !== 200) { if (!answer.ok) state.pause = 10000; return; }
      const made = document.createElement("template");
      made.innerHTML = await answer.text();
      const arrived = made.content.querySelector("[data-arrived]");
      if (!arrived) return;
      state.version = arrived.dataset.version;
      state.full ||= arrived.hasAttribute("data-full");
      for (const card of [...arrived.children]) {
        const id = card.dataset.post;
        if (id && !list.querySelector(`[data-post="${id}"]`)) state.held.set(id, card);
      }
      if (!state.held.size && !state.full) return;
      const ids = [...state.held.keys()], late = ids.filter((id) => !isNewer(id, state.after)).length;
      button.textContent = [said(ids.length - late, newer.dataset.saidOne, newer.dataset.saidMany), said(late, newer.dataset.lateOne, newer.dataset.lateMany)].filter(Boolean).join(" · ");
      button.hidden = false;
      document.title = document.title.replace(/^(\(\d+\+?\) )?/, `(${ids.length}) `);
      if (!late && !state.full && window.scrollY < 40 && !document.querySelector(".river-post.at, .why-place:not(:empty)")) show();
    } catch { state.pause = 10000; } finally { state.asking = false; }
  }
  function said(n, one, many) {
    return n === 0 ? "" : n === 1 ? one : many.replace("{n}", state.full ? `${n}+` : n);
  }
  function show() {
    if (state.full) { window.location.reload(); return; }
    const cards = [...state.held.values()].sort((a, b) => (isNewer(a.dataset.post, b.dataset.post) ? -1 : 1));
    if (!cards.length) return;
    list.querySelector(".empty")?.remove();
    const fresh = cards.filter((card) => isNewer(card.dataset.post, state.after));
    const late = cards.filter((card) => !isNewer(card.dataset.post, state.after));
    list.prepend(...fresh);
    const placed = late.filter(place);
    if (!fresh.length) (placed[0] || list.lastElementChild)?.scrollIntoView({ block: "center" });
    if (fresh.length) state.after = fresh[0].dataset.post;
    state.held.clear();
    button.hidden = true;
    document.title = document.title.replace(/^\(\d+\+?\) /, "");
    window.htmx.process(list);
    const count = document.querySelector("#count strong");
    if (count) count.textContent = (Number(count.textContent.replace(/\D/g, "")) + cards.length).toLocaleString(document.documentElement.lang || "en");
  }
  /* Put a late post where it belongs in time; further down than what is loaded it comes with the older ones. */
  function place(card) {
    const below = [...list.children].find((row) => row.dataset.post && isNewer(card.dataset.post, row.dataset.post));
    const end = below || list.querySelector(".the-end");
    end?.before(card);
    return Boolean(end);
  }
  (function loop() { window.setTimeout(() => { ask().finally(loop); }, state.pause); })();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
})();
