"""Many short lists of numbers, end to end in one array: thousands of them are followed at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Words = np.ndarray[Any, np.dtype[np.uint64]]


@dataclass(frozen=True, slots=True)
class Lists:
    """List number n is `counts[n]` members of `flat` from `starts[n]`."""

    flat: Numbers
    starts: Numbers
    counts: Numbers

    def taken(self, which: Numbers) -> tuple[Numbers, Numbers]:
        """The members of some lists: for each the place in `which` of its list, and the member."""
        many = self.counts[which]
        owners = np.repeat(np.arange(len(which)), many)
        first = self.starts[which] - np.cumsum(many) + many
        return owners, self.flat[np.arange(len(owners)) + np.repeat(first, many)]

    def followed_by(self, others: "Lists") -> "Lists":
        """These lists, and others after them."""
        return Lists(
            np.concatenate((self.flat, others.flat)),
            np.concatenate((self.starts, others.starts + len(self.flat))),
            np.concatenate((self.counts, others.counts)),
        )

    def having(self, least: int, which: Numbers) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """For each of some lists whether it has more than that many members."""
        more: np.ndarray[Any, np.dtype[np.bool_]] = self.counts[which] > least
        return more


def lists_of(lists: Iterable[Iterable[int]]) -> Lists:
    """Lists of numbers as arrays."""
    flat: list[int] = []
    ends: list[int] = [0]
    for each in lists:
        flat.extend(each)
        ends.append(len(flat))
    bounds = np.array(ends, dtype=np.int64)
    return Lists(np.array(flat, dtype=np.int64), bounds[:-1], np.diff(bounds))


def turned(lists: Lists, size: int) -> Lists:
    """From members to lists: for each number below `size` the lists that it is a member of."""
    owners = np.repeat(np.arange(len(lists.counts)), lists.counts)
    counts = np.bincount(lists.flat, minlength=size)
    return Lists(owners[np.argsort(lists.flat, kind="stable")], np.cumsum(counts) - counts, counts)


def either(bits: Words, counts: Numbers) -> Words:
    """One word of bits for each of some runs of words, any of whose bits are set; nothing for an empty run."""
    found = np.zeros(len(counts), dtype=np.uint64)
    filled = counts > 0
    if len(bits):
        found[filled] = np.bitwise_or.reduceat(bits, (np.cumsum(counts) - counts)[filled])
    return found


def run_starts(ordered: Numbers) -> Numbers:
    """Where each run of equal numbers begins."""
    if not len(ordered):
        return ordered
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def distinct(keys: Numbers) -> Numbers:
    """Sorted in place, without doubles: for arrays of this size quicker than numpy's unique."""
    keys.sort()
    return keys[run_starts(keys)]
