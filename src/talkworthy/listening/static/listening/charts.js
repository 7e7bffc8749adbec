/* Charts answer to the pointer. They stand in the page as drawings with links; this lays the same specification anew with tooltips, in the page's colours and width. */
(function () {
  "use strict";
  const figures = [...document.querySelectorAll("[data-spec]")];
  if (!figures.length) return;
  const source = document.querySelector("[data-vega]")?.dataset.vega;
  let loading = null;

  function load() {
    loading = loading || new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return loading;
  }
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function colour(name) { probe.style.color = `var(--${name})`; return window.getComputedStyle(probe).color; }
  function coloured(value) {
    if (typeof value === "string") return value.startsWith("token:") ? colour(value.slice(6)) : value;
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item)]));
    return value;
  }
  async function draw(figure) {
    await load();
    const text = document.getElementById(figure.dataset.spec).textContent;
    const spec = coloured(JSON.parse(text));
    const place = figure.querySelector(".canvas");
    spec.width = Math.max(300, Math.floor(place.clientWidth));
    spec.config = { ...spec.config, font: window.getComputedStyle(document.body).fontFamily };
    const held = document.createElement("div");
    const result = await window.vegaEmbed(held, spec, { ast: true, actions: false, logLevel: 1, defaultStyle: false, renderer: "svg", tooltip: { disableDefaultStyle: true, id: "vg-tooltip-element", sanitize: (value) => String(value).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`) }, loader: { target: "_self" } });
    const drawn = held.querySelector("svg");
    drawn.setAttribute("role", "group");
    drawn.removeAttribute("aria-label");
    place.replaceChildren(held);
    figure.view = result.view;
  }
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target).catch(() => { /* the drawing that the server made stays */ });
    }
  }, { rootMargin: "200px" });
  figures.forEach((figure) => seen.observe(figure));

  let timer = 0;
  let width = window.innerWidth;
  function again() { figures.filter((figure) => figure.view).forEach((figure) => { figure.view.finalize(); draw(figure).catch(() => {}); }); }
  window.addEventListener("resize", () => { if (window.innerWidth === width) return; width = window.innerWidth; window.clearTimeout(timer); timer = window.setTimeout(again, 200); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
})();
