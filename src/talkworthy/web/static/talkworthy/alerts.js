/* e: seen. */
talkworthy.key("e", (row) => row?.querySelector("[data-see]")?.click());
