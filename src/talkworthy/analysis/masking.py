"""How a text is written for the feeling towards one thing that it names.

The target is masked, and the words close to it are read twice: once as they are, once marked as close. The head
learned from texts written this way.
"""

import regex

MASK = "targetmask"
REACH = 5
_CLOSE = "ŧ"


def towards(text: str, target: str) -> str:
    """The text as the head reads it: target masked, the five pieces on either side repeated and marked.

    The first place where the target stands as whole words counts, in any case; a text without it is read as
    a whole.
    """
    if not target.strip():
        return text
    spelling = r"\s+".join(regex.escape(word) for word in target.split())
    match = regex.search(rf"(?<!\w){spelling}(?!\w)", text, regex.I) or regex.search(spelling, text, regex.I)
    if match is None:
        return text
    before, after = text[: match.start()].split(), text[match.end() :].split()
    close = [f"{_CLOSE}{piece}" for piece in [*before[-REACH:], *after[:REACH]]]
    return " ".join([*before, MASK, *after, *close])
