/* f: filter · n: add a person; on links y: they are one, n: never. */
const script = document.currentScript;
talkworthy.key("f", () => document.getElementById("people-q")?.focus());
talkworthy.key("y", (row) => row?.querySelector("[data-one]")?.click());
talkworthy.key("n", (row) => {
  const never = row?.querySelector("[data-never]");
  if (never) never.click();
  else if (script.dataset.new) location.assign(script.dataset.new);
});
