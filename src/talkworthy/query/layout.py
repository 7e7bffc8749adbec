"""The plans of all queries as arrays: what each asks for, by number."""

from collections.abc import Sequence

import numpy as np

from talkworthy.query.batch import Vocabulary
from talkworthy.query.lists import Numbers, lists_of, turned
from talkworthy.query.match import Knowledge, compile_part
from talkworthy.query.plan import Atom, Beside, Condition, Group, Plan, rarer

BIG = 48
"""A group of more atoms than this is put together once a batch, not looked up atom by atom."""


class Layout:
    """Numbers of atoms, and lists of them.

    Atoms are numbered: first words, then phrases, then what stands for a big group or a condition and is filled in
    when it is first asked for. `placed` says which words have to be known by place: those of phrases and distances.
    """

    def __init__(self, plans: Sequence[Plan | None], vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        known = [plan for plan in plans if plan is not None]
        used = {atom for plan in known for group in plan.groups for atom in group.atoms} | {
            atom for plan in known for atom in plan.excluded
        }
        phrases = sorted(atom for atom in used if len(atom) > 1)
        pairs = list(dict.fromkeys(pair for plan in known for pair in plan.beside))
        placed = {term for phrase in phrases for term in phrase} | {
            atom[0] for pair in pairs for atom in pair.left | pair.right if len(atom) == 1
        }
        alone = {atom[0] for atom in used if len(atom) == 1}
        self.terms = [*sorted(placed), *sorted(alone - placed)]
        self.placed = len(placed)
        self.number_of: dict[Atom, int] = {(term,): number for number, term in enumerate(self.terms)}
        self.first_phrase = len(self.terms)
        self.phrases = lists_of([self.number_of[(term,)] for term in phrase] for phrase in phrases)
        self.number_of |= {phrase: self.first_phrase + number for number, phrase in enumerate(phrases)}
        self.first_filled = self.first_phrase + len(phrases)
        self.big: list[Numbers] = []
        self._big_numbers: dict[frozenset[Atom], int] = {}
        self.asking: list[Knowledge] = []
        self._lay_out_groups(plans)
        self._lay_out_pairs(plans, pairs)
        self.complete = np.array([plan is not None and plan.complete for plan in plans], dtype=np.bool_)
        self.answers = self.placed_answers = lists_of([])

    def _lay_out_groups(self, plans: Sequence[Plan | None]) -> None:
        conditions = list(dict.fromkeys(each for plan in plans if plan for each in plan.conditions))
        numbers: dict[Group | Condition, int] = {}
        members: list[list[int]] = []
        sure: list[list[int]] = []
        for group in dict.fromkeys(group for plan in plans if plan for group in plan.groups):
            numbers[group] = len(members)
            members.append(self._members(group.atoms))
            sure.append(self._members(group.sure))
        self.excluded = lists_of(self._members(plan.excluded) if plan else [] for plan in plans)
        for number, condition in enumerate(conditions):
            numbers[condition] = len(members)
            members.append([self.first_filled + len(self.big) + number])
            self.asking.append(compile_part(condition.node, None, now=condition.now))
        self.filled = len(self.big) + len(self.asking)
        self.members, self.sure_members = lists_of(members), lists_of(sure)
        self.others = lists_of(
            [numbers[group] for group in plan.groups if group.atoms != plan.anchors] if plan else [] for plan in plans
        )
        self.doubtful = lists_of(
            [numbers[group] for group in plan.groups if group.maybe] if plan else [] for plan in plans
        )
        self.conditions = lists_of([numbers[each] for each in plan.conditions] if plan else [] for plan in plans)
        anchors = lists_of([self.number_of[atom] for atom in plan.anchors] if plan else [] for plan in plans)
        self.anchored = turned(anchors, self.first_filled)
        self.anchoring = np.flatnonzero(self.anchored.counts)

    def _members(self, atoms: frozenset[Atom]) -> list[int]:
        if len(atoms) > BIG:
            number = self._big_numbers.setdefault(atoms, len(self.big))
            if number == len(self.big):
                self.big.append(np.array(self._numbers(atoms), dtype=np.int64))
            return [self.first_filled + number]
        return self._numbers(atoms)

    def _numbers(self, atoms: frozenset[Atom]) -> list[int]:
        return sorted(self.number_of[atom] for atom in atoms)

    def _lay_out_pairs(self, plans: Sequence[Plan | None], pairs: Sequence[Beside]) -> None:
        """Both sides of each NEAR, and which of them is likely to be the rarer one."""
        numbers = {pair: number for number, pair in enumerate(pairs)}
        self.beside = lists_of([numbers[each] for each in plan.beside] if plan else [] for plan in plans)
        swapped = [rarer(pair.right, pair.left) for pair in pairs]
        self.rare_side = lists_of(
            self._numbers(pair.right if swap else pair.left) for pair, swap in zip(pairs, swapped, strict=True)
        )
        self.other_side = lists_of(
            self._numbers(pair.left if swap else pair.right) for pair, swap in zip(pairs, swapped, strict=True)
        )
        self.distance = np.array([pair.distance for pair in pairs], dtype=np.int64)
        forward = np.array([pair.forward for pair in pairs], dtype=np.bool_)
        swaps = np.array(swapped, dtype=np.bool_)
        self.may_follow, self.may_precede = ~(forward & swaps), ~(forward & ~swaps)
        self.lengths = np.ones(self.first_filled, dtype=np.int64)
        self.lengths[self.first_phrase :] = self.phrases.counts

    def follow_vocabulary(self) -> None:
        """Bring the lists of what each token answers to up to date: tokens are met as posts come."""
        fresh = self.vocabulary.answers[len(self.answers.counts) :]
        if not fresh:
            return
        number_of = self.number_of
        terms = [[number_of[(term,)] for term in answers if (term,) in number_of] for answers in fresh]
        self.answers = self.answers.followed_by(lists_of(terms))
        self.placed_answers = self.placed_answers.followed_by(
            lists_of([term for term in some if term < self.placed] for some in terms)
        )
