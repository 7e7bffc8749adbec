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

  /* The counter moves with every key, in the channel's way of counting; what is added to the text, the server knows. */
  const graphemes = "Segmenter" in Intl ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;
  function lengthOf(field) {
    let text = field.value;
    if (field.dataset.link) text = text.replace(/https?:\/\/[^\s<>"]+[^\s<>".,;:!?'）)\]]/g, "x".repeat(Number(field.dataset.link))).replace(/(?<![\w/])(@\w[\w.-]*)@[\w.-]+\w/g, "$1");
    return field.dataset.count === "graphemes" && graphemes ? [...graphemes.segment(text)].length : [...text].length;
  }
  let added = 0;
  function measure() { const field = part("[data-answer]"), looked = document.getElementById("looked"); if (field?.dataset.most && looked) added = Number(looked.dataset.length) - lengthOf(field); }
  function tell(field) {
    const said = part("[data-left]"), bar = part("progress.length");
    if (!said || !field.dataset.most) return;
    const length = lengthOf(field) + added, left = Number(field.dataset.most) - length;
    said.textContent = (left < 0 ? said.dataset.overWords : said.dataset.leftWords).replace("{n}", Math.abs(left).toLocaleString(document.documentElement.lang || undefined));
    said.classList.toggle("danger-words", left < 0);
    said.classList.toggle("warn-words", left >= 0 && left < 30);
    if (bar) { bar.value = length; bar.classList.toggle("over", left < 0); }
  }
  measure();
  document.addEventListener("input", (event) => { if (event.target.matches?.("[data-answer]")) tell(event.target); });
  document.addEventListener("htmx:configRequest", (event) => { if (event.target.matches?.("[data-answer]") && part("details.as-read")?.open) event.detail.parameters.reading = "1"; });
  document.addEventListener("htmx:afterSettle", () => measure());

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
