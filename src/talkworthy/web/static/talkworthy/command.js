/* The box on top: what is typed is searched for, or leads to a page. */
(function () {
  "use strict";
  const form = document.querySelector("[data-command]");
  if (!form) return;
  const input = form.querySelector("input");
  const list = form.querySelector("[role=listbox]");
  const options = form.dataset.options;
  let asked = 0;
  let timer = 0;

  function all() { return [...list.querySelectorAll("[role=option]")]; }
  function active() { return list.querySelector("[aria-selected=true]"); }
  function show(open) {
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    if (!open) input.removeAttribute("aria-activedescendant");
  }
  function choose(option) {
    active()?.setAttribute("aria-selected", "false");
    if (!option) { input.removeAttribute("aria-activedescendant"); return; }
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }
  async function ask() {
    const mine = ++asked;
    try {
      const answer = await fetch(`${options}?${new URLSearchParams({ q: input.value })}`, { headers: { "HX-Request": "true" } });
      if (!answer.ok || mine !== asked || document.activeElement !== input) return;
      list.innerHTML = await answer.text();
      show(all().length > 0);
    } catch { show(false); }
  }
  input.addEventListener("focus", ask);
  input.addEventListener("input", () => { window.clearTimeout(timer); timer = window.setTimeout(ask, 120); });
  input.addEventListener("blur", () => window.setTimeout(() => show(false), 150));
  input.addEventListener("keydown", (event) => {
    const found = all();
    if (event.key === "Escape") {
      if (!list.hidden) { event.preventDefault(); show(false); } else { input.blur(); }
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && found.length && !list.hidden) {
      event.preventDefault();
      const at = found.indexOf(active());
      choose(found[(at + (event.key === "ArrowDown" ? 1 : at < 0 ? 0 : -1) + found.length) % found.length]);
    } else if (event.key === "Enter" && active() && !list.hidden) {
      event.preventDefault();
      window.location.assign(active().href);
    }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault());
})();
