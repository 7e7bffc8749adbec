/* a: approve, x: write why not. */
talkworthy.key("a", (row) => row?.querySelector("[data-approve]")?.click());
talkworthy.key("x", (row) => row?.querySelector("[data-why]")?.focus());
