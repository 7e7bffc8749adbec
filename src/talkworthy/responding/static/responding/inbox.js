/* The inbox: open beside the list, take the next, act by keys, mark several, name members in notes. */
(() => {
  const inbox = document.getElementById("inbox");
  if (!inbox) return;
  const narrow = window.matchMedia("(max-width: 60rem)");
  const row = (number) => document.getElementById(`row-${number}`);
  const current = () => document.querySelector(".case-row.at") || row(document.getElementById("case")?.dataset.number);

  /* Open beside the list; on a narrow screen it is a page. */
  function open(link) {
    if (narrow.matches) { window.location.assign(link.href); return; }
    window.htmx.ajax("GET", link.href, { target: "#opened", swap: "innerHTML", source: link }).then(() => {
      if (document.getElementById("case")?.dataset.number !== link.closest(".case-row")?.dataset.number) return;
      window.history.pushState({ inbox: true }, "", link.href);
      inbox.classList.add("has-case");
      document.querySelectorAll(".case-row.open").forEach((other) => other.classList.remove("open"));
      link.closest(".case-row")?.classList.add("open");
      link.closest(".case-row")?.classList.remove("unread");
      window.scrollTo({ top: 0 });
    });
  }
  inbox.addEventListener("click", (event) => {
    const link = event.target.closest("[data-case-link]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    open(link);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches?.(".case-row")) return;
    event.preventDefault();
    open(event.target.querySelector("[data-case-link]"));
  }, true);
  window.addEventListener("popstate", () => window.location.reload());

  /* Which cases a key or a dialog is about: the marked ones, else the opened, else the current one. */
  function about() {
    const marked = [...document.querySelectorAll("#rows input[name=number]:checked")].map((box) => box.value);
    if (marked.length) return marked;
    const at = document.querySelector(".case-row.at")?.dataset.number, seen = document.getElementById("case")?.dataset.number;
    return [seen && !(at && document.activeElement?.closest(".case-row")) ? seen : at || seen].filter(Boolean);
  }
  /* The version that one looks at: of the opened case as it is shown, else of the row. */
  function seen(number) {
    const opened = document.getElementById("case");
    return (opened?.dataset.number === number ? opened : row(number))?.dataset.version || "";
  }
  /* What a dialog is about is settled when it opens: while it is open, the focus is in it and in no row. */
  let meant = [];
  function fill(form, numbers) {
    const place = form.querySelector("[data-numbers]");
    if (!place) return;
    const field = (name, value) => { const made = document.createElement("input"); made.type = "hidden"; made.name = name; made.value = value; return made; };
    place.replaceChildren(...numbers.flatMap((number) => [field("number", number), field("seen", `${number}:${seen(number)}`)]));
    form.querySelector("[name=back]").value = window.location.pathname + window.location.search;
  }
  document.querySelectorAll("dialog[data-acts] form").forEach((form) => form.addEventListener("submit", (event) => { fill(form, meant); if (!form.querySelector("[name=number]")) event.preventDefault(); }));
  document.addEventListener("click", (event) => { if (event.target.closest("[data-opens]")) meant = about(); }, true);
  const show = (id) => { meant = about(); if (meant.length) document.getElementById(id)?.showModal(); };
  function send(verb) {
    const form = document.querySelector("#tag-dialog form")?.cloneNode(true);
    if (!form) return;
    fill(form, about());
    if (!form.querySelector("[name=number]")) return;
    form.querySelector("[name=do]").value = verb;
    form.querySelector("[name=to]").remove();
    form.hidden = true;
    document.body.append(form);
    form.submit();
  }
  function unread() {
    const form = document.getElementById("rows")?.cloneNode(false), token = document.querySelector("#rows [name=csrfmiddlewaretoken]"), numbers = about();
    if (!form || !token || !numbers.length) return;
    const field = (name, value) => { const made = document.createElement("input"); made.type = "hidden"; made.name = name; made.value = value; return made; };
    form.removeAttribute("id"); form.action = inbox.dataset.unread; form.hidden = true;
    form.append(token.cloneNode(), field("carried", inbox.dataset.carried), ...numbers.map((number) => field("number", number)));
    document.body.append(form);
    form.submit();
  }
  const keys = {
    U: unread, e: () => send("resolve"), m: () => send("mine"), a: () => show("assign-dialog"), s: () => show("snooze-dialog"), p: () => show("priority-dialog"), "#": () => show("tag-dialog"),
    x: () => { const box = current()?.querySelector("input[name=number]"); if (box) { box.checked = !box.checked; count(); } },
    c: () => document.querySelector("[data-note]")?.focus(),
    f: () => document.getElementById("words")?.focus(),
    y: () => { const why = document.getElementById("why"); if (why) { why.open = !why.open; why.scrollIntoView({ block: "nearest" }); why.querySelector("summary").focus(); } },
    n: () => { const after = document.getElementById("case")?.dataset.number; window.location.assign(`${inbox.dataset.next}?${inbox.dataset.carried}${after ? `&after=${after}` : ""}`); },
  };
  Object.entries(keys).forEach(([key, act]) => talkworthy.key(key, act));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open], details[data-menu][open]") || event.defaultPrevented) return;
    if (event.target.matches("input, textarea, select")) { event.target.blur(); return; }
    const marked = document.querySelectorAll("#rows input[name=number]:checked");
    if (marked.length) { marked.forEach((box) => { box.checked = false; }); count(); return; }
    if (inbox.classList.contains("has-case")) window.location.assign(`${inbox.dataset.list}?${inbox.dataset.carried}`);
  });
  function count() {
    const marked = document.querySelectorAll("#rows input[name=number]:checked").length, said = document.querySelector("[data-marked]");
    if (said) said.textContent = marked === 1 ? said.dataset.saidOne : said.dataset.saidMany.replace("{n}", marked);
  }
  inbox.addEventListener("change", (event) => { if (event.target.name === "number") count(); });

  /* Rows are left alone while some are marked, or a dialog speaks of them. */
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id === "rows" && document.querySelector("#rows :checked, dialog[open]")) event.preventDefault();
  });

  /* The current row stays the current one when the rows are exchanged. */
  let at = "";
  document.addEventListener("htmx:beforeSwap", (event) => { if (event.target.id === "rows") at = document.querySelector(".case-row.at")?.dataset.number || ""; });
  document.addEventListener("htmx:afterSwap", () => { if (at) { row(at)?.classList.add("at"); at = ""; } });

  /* @ in a note offers members. */
  const names = [...document.querySelectorAll("[data-member]")].map((one) => ({ handle: one.dataset.member, name: one.textContent }));
  document.addEventListener("input", (event) => { if (event.target.matches?.("[data-note]")) offer(event.target); });
  function sought(field) { return /(?:^|\s)@([\w.+-]*)$/.exec(field.value.slice(0, field.selectionStart)); }
  function offer(field) {
    const list = document.querySelector("[data-mention-list]"), found = sought(field);
    list.replaceChildren();
    const fit = found ? names.filter((one) => one.handle.startsWith(found[1].toLowerCase()) || one.name.toLowerCase().includes(found[1].toLowerCase())).slice(0, 6) : [];
    fit.forEach((one, place) => {
      const option = document.createElement("button");
      option.type = "button"; option.role = "option"; option.ariaSelected = place === 0 ? "true" : "false"; option.textContent = `@${one.handle}  ${one.name}`;
      option.addEventListener("click", () => { const end = field.selectionStart; field.setRangeText(`@${one.handle} `, end - found[1].length - 1, end, "end"); list.hidden = true; field.focus(); });
      list.append(option);
    });
    list.hidden = !fit.length;
  }
  document.addEventListener("keydown", (event) => {
    const list = document.querySelector("[data-mention-list]");
    if (!event.target.matches?.("[data-note]")) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.preventDefault(); event.target.form.requestSubmit(); return; }
    if (!list || list.hidden) return;
    const options = [...list.children], place = options.findIndex((one) => one.ariaSelected === "true");
    if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); options[place]?.click(); }
    else if (event.key === "Escape") { event.stopPropagation(); list.hidden = true; }
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); const next = (place + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length; options.forEach((one, n) => { one.ariaSelected = n === next ? "true" : "false"; }); }
  });
})();
