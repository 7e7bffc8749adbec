"""A cursor that two have moved: what each of them changed, in one. Pure.

A source that is fetched may be called meanwhile, and both go on from the cursor that stood before: whichever is kept
last must not undo what the other has told its sender.
"""

from collections.abc import Mapping
from typing import Any

JSON = Any


def merged(before: JSON, ours: JSON, theirs: JSON) -> JSON:
    """What follows where we made `ours` of `before`, and somebody else made `theirs` of it meanwhile.

    Objects are merged name by name, lists by what was taken out and added; of a plain value that both changed, ours.
    """
    if theirs == before or ours == theirs:
        return ours
    if ours == before:
        return theirs
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        return _merged_objects(before if isinstance(before, Mapping) else {}, ours, theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        return _merged_lists(before if isinstance(before, list) else [], ours, theirs)
    return ours


def _merged_objects(
    before: Mapping[str, JSON], ours: Mapping[str, JSON], theirs: Mapping[str, JSON]
) -> dict[str, JSON]:
    found = {}
    for name in {**theirs, **ours}:
        if name in ours and name in theirs:
            found[name] = merged(before.get(name), ours[name], theirs[name])
        elif name not in before:
            found[name] = ours[name] if name in ours else theirs[name]
        elif before[name] != (ours[name] if name in ours else theirs[name]):
            found[name] = ours[name] if name in ours else theirs[name]  # one changed what the other took away
    return found


def _merged_lists(before: list[JSON], ours: list[JSON], theirs: list[JSON]) -> list[JSON]:
    gone = [each for each in before if each not in theirs]
    kept = [each for each in ours if each not in gone]
    return [*kept, *(each for each in theirs if each not in before and each not in kept)]
