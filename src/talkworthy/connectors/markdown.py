"""Markdown as people write it on Reddit and GitHub, made safe HTML."""

from html import escape

from markdown_it import MarkdownIt

from talkworthy.connectors.markup import clean

RENDERED_CHARACTERS = 20_000
"""What lies beyond stands as it was written: 20,000 opening brackets take half a second, and the time grows squared."""

_with_html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_without = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def rendered(words: str, *, html: bool = False, base: str | None = None) -> str:
    """Safe HTML; `html` says whether tags within are tags (GitHub) or words (Reddit)."""
    if not words:
        return ""
    cut = len(words)
    if cut > RENDERED_CHARACTERS:
        cut = words.rfind("\n", 0, RENDERED_CHARACTERS) + 1 or RENDERED_CHARACTERS
    made = (_with_html if html else _without).render(words[:cut])
    rest = f"<pre>{escape(words[cut:])}</pre>" if cut < len(words) else ""
    return clean(made, base=base) + clean(rest)
