"""How long a text is in a channel's way of counting."""

import regex

from talkworthy.connectors.contract import SendingLimits

GRAPHEME = regex.compile(r"\X")
LINK = regex.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?'）)\]]")
REMOTE = regex.compile(r"(?<![\w/])(@\w[\w.-]*)@[\w.-]+\w")


def length_of(text: str, limits: SendingLimits) -> int:
    """Characters or graphemes; a link counts as the channel says, a remote handle without its server."""
    if limits.link_length is not None:
        text = REMOTE.sub(r"\1", LINK.sub("x" * limits.link_length, text))
    return len(GRAPHEME.findall(text)) if limits.count == "graphemes" else len(text)
