"""A thing's states and the ways between them, declared once and checked when they are read. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass


class NoWay(ValueError):
    """There is no way from the one state to the other; `old`, `new` and the ways that there are."""

    def __init__(self, graph: str, old: str, new: str, ways: frozenset[str]) -> None:
        super().__init__(f"{graph}: no way from {old} to {new}; from {old} it goes to {', '.join(sorted(ways)) or '-'}")
        self.old, self.new, self.ways = old, new, ways


@dataclass(frozen=True)
class Graph:
    """States with the ways out of each. `start` is where a new thing stands; a state without a way out is an end."""

    name: str
    start: str
    ways: Mapping[str, frozenset[str]]

    def __post_init__(self) -> None:
        """Refuse ways to states that are not declared, and states that cannot be reached."""
        targets = frozenset().union(*self.ways.values()) if self.ways else frozenset()
        unknown = (targets | {self.start}) - self.ways.keys()
        if unknown:
            raise ValueError(f"{self.name}: ways lead to states that are not declared: {', '.join(sorted(unknown))}")
        lost = self.ways.keys() - self.reachable
        if lost:
            raise ValueError(f"{self.name}: no way leads to {', '.join(sorted(lost))}")

    @property
    def reachable(self) -> frozenset[str]:
        """The states that a thing can come to."""
        seen, waiting = {self.start}, [self.start]
        while waiting:
            for state in self.ways[waiting.pop()] - seen:
                seen.add(state)
                waiting.append(state)
        return frozenset(seen)

    @property
    def ends(self) -> frozenset[str]:
        """The states that nothing leads out of."""
        return frozenset(state for state, ways in self.ways.items() if not ways)

    def may(self, old: str, new: str) -> bool:
        """Whether a way leads from the one to the other."""
        return new in self.ways[old]

    def step(self, old: str, new: str) -> str:
        """The new state; raises NoWay."""
        if not self.may(old, new):
            raise NoWay(self.name, old, new, self.ways[old])
        return new
