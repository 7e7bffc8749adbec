/* The composer: r begins, Ctrl-S saves, Ctrl-Enter sends, ; offers snippets; the sheet changes with who sees it. */
(() => {
  const part = (name) => document.querySelector(`[data-composer] ${name}`);
  talkworthy.key("r", () => (part("[data-answer]") || part("[data-write]"))?.focus());

  document.addEventListener("keydown", (event) => {
    if (!event.target.closest?.("[data-composer]") || !(event.ctrlKey || event.metaKey)) return;
    const button = event.key === "s" ? part("[data-save]") : event.key === "Enter" ? part("[data-send]") : null;
    if (!button) return;
    event.preventDefault();
    if (!button.disabled) button.form.requestSubmit(button);
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id !== "looked") return;
    const looked = document.getElementById("looked");
    const everybody = looked?.dataset.everybody === "yes";
    part("[data-sheet]")?.classList.toggle("everybody", everybody);
    part("[data-sheet]")?.classList.toggle("between", !everybody);
  });

  /* Snippets while writing: ; and the beginning of a shortcut. */
  const sought = (field) => /(?:^|\s)[;/]([\w-]*)$/.exec(field.value.slice(0, field.selectionStart));
  function offer(field) {
    const list = part("[data-snippet-list]");
    const found = sought(field);
    list.replaceChildren();
    list.hidden = true;
    if (!found) return;
    const begun = found[1].toLowerCase();
    const fit = [...document.querySelectorAll("[data-snippet]")].filter((one) => one.dataset.snippet.startsWith(begun));
    fit.slice(0, 6).forEach((one, place) => {
      const button = document.createElement("button");
      button.type = "button";
      button.role = "option";
      button.ariaSelected = place === 0 ? "true" : "false";
      button.textContent = `;${one.dataset.snippet}  ${one.dataset.name}`;
      button.addEventListener("click", () => insert(field, found, one.dataset.text));
      list.append(button);
    });
    list.hidden = fit.length === 0;
  }
  function insert(field, found, text) {
    const end = field.selectionStart;
    field.setRangeText(text, end - found[1].length - 1, end, "end");
    part("[data-snippet-list]").hidden = true;
    field.focus();
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  document.addEventListener("input", (event) => { if (event.target.matches?.("[data-answer]")) offer(event.target); });
  document.addEventListener("keydown", (event) => {
    const list = part("[data-snippet-list]");
    if (!event.target.matches?.("[data-answer]") || !list || list.hidden) return;
    const options = [...list.children];
    const at = options.findIndex((one) => one.ariaSelected === "true");
    if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); options[at]?.click(); }
    else if (event.key === "Escape") { list.hidden = true; }
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = (at + (event.key === "ArrowDown" ? 1 : options.length - 1)) % options.length;
      options.forEach((one, place) => { one.ariaSelected = place === next ? "true" : "false"; });
    }
  });
})();
