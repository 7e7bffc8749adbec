"""Texts that are kept ready to be compared with a new one. Pure.

A page that asks twice finds what was made for it; where a text came, went or changed it is made anew, so nothing that
was erased is ever compared or shown.
"""

from functools import lru_cache

import regex

from talkworthy.analysis.similarity import Collection, Shared

LEAST = 0.6
"""Probability of one matter below which nothing is shown; one common word, such as a product, reaches about 0.57."""
WORDS = 5
WEAK = 0.2
"""A word that does less than this part of what the strongest does is no reason."""
KEPT = 6
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}'’-]*")


@lru_cache(maxsize=KEPT)
def kept(texts: tuple[str, ...]) -> Collection:
    """The texts, ready to be compared: some seconds for a hundred thousand, once, then milliseconds a question."""
    return Collection(texts)


def words_in_common(shared: Shared, asked: str) -> tuple[str, ...]:
    """The words that do most to make two texts alike, as they stand in the one that was asked about."""
    written = {found[0].lower(): found[0] for found in reversed(list(_WORD.finditer(asked))) if len(found[0]) > 2}
    strongest = max((weight for _word, weight in shared.words), default=0.0)
    strong = [word for word, weight in shared.words if weight >= WEAK * strongest]
    return tuple(written[word] for word in strong if word in written)[:WORDS]
