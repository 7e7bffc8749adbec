"""A playbook: a tree of questions as data, read strictly, compared, and compiled for deciding. Pure.

Nothing here deletes: there is no outcome that removes what somebody said, and none may be made.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from importlib import resources
from typing import Any

import yaml

from talkworthy.query import CompiledQuery, Matcher, QueryError, compile_query, parse
from talkworthy.query.match import Similarity
from talkworthy.routing.steps import MOST_STEPS, BadStep, Step, read_step

PRIORITIES = ("risk", "purchase", "cancel", "service", "low")
LEVELS = ("observe", "suggest", "draft", "send")
FORBIDDEN = frozenset({"delete", "remove", "hide", "erase", "censor", "block"})
"""No outcome may be called so: only moderation removes, in owned places, with a stated reason."""
MOST_NODES = 100
LONGEST_SKILL = 60
MOST_SKILLS = 10


@dataclass(frozen=True)
class Answer:
    """One answer of a node: where it leads, and the query that gives it, if any."""

    name: str
    label: str
    to: str
    when: str = ""


@dataclass(frozen=True)
class Node:
    """One question. `ask` names who answers it; `otherwise` is the answer where nobody knows."""

    name: str
    question: str
    ask: str
    answers: Mapping[str, Answer]
    otherwise: str
    minutes: int | None = None


@dataclass(frozen=True)
class Outcome:
    """A leaf. `opens`: it becomes a case. `answers`: somebody is answered. `waits`: the community may be first.
    `skills`: what whoever gets the case must know, all of it. `escalation`: steps that the case carries."""

    name: str
    title: str
    opens: bool
    answers: bool
    autonomy: str = "observe"
    waits: bool = True
    skills: tuple[str, ...] = ()
    escalation: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Ranking:
    """A class of priority, and which mentions are in it: by outcome, by query, or (neither) all that are left."""

    priority: str
    outcomes: frozenset[str]
    when: str = ""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a tree: where, and what to do."""

    where: str
    text: str


class BadPlaybook(ValueError):
    """A tree that cannot be followed; `faults` say why."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.where}: {fault.text}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Playbook:
    """A tree that can be followed from `start` to an outcome on every way."""

    name: str
    start: str
    nodes: Mapping[str, Node]
    beside: Mapping[str, Node]
    outcomes: Mapping[str, Outcome]
    priorities: Sequence[Ranking]


@dataclass(frozen=True)
class Compiled:
    """A playbook with its queries ready to match, by the place where they stand."""

    playbook: Playbook
    queries: Mapping[tuple[str, str], CompiledQuery] = field(repr=False)
    now: datetime
    similarity: Similarity | None = field(default=None, repr=False)

    @cached_property
    def matcher(self) -> "Matcher[tuple[str, str]]":
        """All its queries at once: built when the first batch asks, because one mention is asked without it."""
        return Matcher(self.queries)


def default_tree() -> dict[str, Any]:
    """The tree that a new workspace starts with; a fresh copy each time."""
    tree: dict[str, Any] = yaml.safe_load(_default_text())
    return tree


@cache
def _default_text() -> str:
    return resources.files("talkworthy.routing.playbooks").joinpath("default.yaml").read_text(encoding="utf-8")


def read_playbook(tree: Mapping[str, Any], *, askers: Mapping[str, Sequence[str]]) -> Playbook:
    """The playbook of a tree; `askers` are who may be asked, with the answers that each may give.

    Raises BadPlaybook with every fault that was found, not the first alone.
    """
    faults: list[Fault] = []
    nodes = {name: _node(name, found, faults) for name, found in _mapping(tree, "nodes", faults).items()}
    beside = {name: _node(name, found, faults) for name, found in _mapping(tree, "beside", faults).items()}
    outcomes = {name: _outcome(name, found, faults) for name, found in _mapping(tree, "outcomes", faults).items()}
    rankings = [_ranking(found, faults) for found in _list(tree, "priorities", faults)]
    playbook = Playbook(
        str(tree.get("name") or ""), str(tree.get("start") or ""), nodes, beside, outcomes, tuple(rankings)
    )
    faults += [*_lost(playbook), *_circles(playbook), *_askers(playbook, askers), *_queries(playbook)]
    if faults:
        raise BadPlaybook(faults)
    return playbook


def outcomes_of(tree: Mapping[str, Any]) -> dict[str, Outcome]:
    """The outcomes of a tree that may be an old one: what is wrong in it today is let be."""
    return {name: _outcome(name, found, []) for name, found in _mapping(tree, "outcomes", []).items()}


def compile_playbook(playbook: Playbook, *, now: datetime, similarity: Similarity | None = None) -> Compiled:
    """Make its queries ready; relative times in them are counted from `now`."""
    found = {}
    for where, query in _places(playbook):
        found[where] = compile_query(parse(query, stage="search"), now=now, similarity=similarity)
    return Compiled(playbook, found, now, similarity)


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What differs between two trees: (path such as nodes.Q4.otherwise, as it was, as it is); None where absent."""
    before, after = dict(_flat(old)), dict(_flat(new))
    return [
        (path, before.get(path), after.get(path))
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, held in value.items():
            yield from _flat(held, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for place, held in enumerate(value, start=1):
            yield from _flat(held, f"{path}.{place}")
    else:
        yield path, value


def _mapping(tree: Mapping[str, Any], name: str, faults: list[Fault]) -> Mapping[str, Any]:
    found = tree.get(name) or {}
    if not isinstance(found, Mapping) or any(not isinstance(held, Mapping) for held in found.values()):
        faults.append(Fault(name, "must be a mapping of names to mappings"))
        return {}
    if len(found) > MOST_NODES:
        faults.append(Fault(name, f"has {len(found)} entries; {MOST_NODES} is the most"))
        return {}
    return found


def _list(tree: Mapping[str, Any], name: str, faults: list[Fault]) -> Sequence[Any]:
    found = tree.get(name) or []
    if not isinstance(found, list):
        faults.append(Fault(name, "must be a list"))
        return []
    return found


def _node(name: str, found: Mapping[str, Any], faults: list[Fault]) -> Node:
    answers = {}
    given = found.get("answers")
    if not isinstance(given, Mapping) or not given:
        faults.append(Fault(name, "needs answers"))
        given = {}
    for answer, told in given.items():
        told = told if isinstance(told, Mapping) else {}
        label, to = str(told.get("label") or answer), str(told.get("to") or "")
        answers[str(answer)] = Answer(str(answer), label, to, str(told.get("when") or "").strip())
    if not found.get("question"):
        faults.append(Fault(name, "needs a question"))
    otherwise = str(found.get("otherwise") or "")
    if answers and otherwise not in answers:
        faults.append(Fault(name, f"otherwise must be one of its answers: {', '.join(answers)}"))
    minutes = found.get("minutes")
    if minutes is not None and (not isinstance(minutes, int) or not 1 <= minutes <= 60 * 24 * 30):
        faults.append(Fault(name, "minutes must be a whole number from 1 to 43200"))
        minutes = None
    return Node(name, str(found.get("question") or ""), str(found.get("ask") or ""), answers, otherwise, minutes)


def _outcome(name: str, found: Mapping[str, Any], faults: list[Fault]) -> Outcome:
    if FORBIDDEN & set(name.casefold().replace("-", "_").split("_")):
        faults.append(
            Fault(name, "no outcome removes what somebody said: only moderation does, in places of one's own")
        )
    level = str(found.get("autonomy") or "observe")
    if level not in LEVELS:
        faults.append(Fault(name, f"autonomy must be one of {', '.join(LEVELS)}"))
    return Outcome(
        name,
        str(found.get("title") or name),
        bool(found.get("opens")),
        bool(found.get("answers")),
        level,
        bool(found.get("waits", True)),
        _skills(name, found.get("skills"), faults),
        _escalation(name, found.get("escalation"), faults),
    )


def _skills(name: str, given: Any, faults: list[Fault]) -> tuple[str, ...]:
    """Each once, folded as a member's are where they are compared."""
    listed = [] if given is None else given
    if not isinstance(listed, list) or not all(
        isinstance(one, str) and 0 < len(one.strip()) <= LONGEST_SKILL for one in listed
    ):
        faults.append(Fault(name, f"skills must be a list of texts of at most {LONGEST_SKILL} characters"))
        return ()
    if len(listed) > MOST_SKILLS:
        faults.append(Fault(name, f"has {len(listed)} skills; {MOST_SKILLS} is the most"))
        return ()
    return tuple(dict.fromkeys(one.strip().casefold() for one in listed))


def _escalation(name: str, given: Any, faults: list[Fault]) -> tuple[Step, ...]:
    listed = [] if given is None else given
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        faults.append(Fault(name, "escalation must be a list of steps, each with minutes and does"))
        return ()
    if len(listed) > MOST_STEPS:
        faults.append(Fault(name, f"has {len(listed)} steps of escalation; {MOST_STEPS} is the most"))
        return ()
    steps: list[Step] = []
    for place, row in enumerate(listed, start=1):
        try:
            steps.append(read_step(row))
        except BadStep as error:
            faults.append(Fault(name, f"step {place} of its escalation: {_STEP_FAULTS[error.what] % error.facts}"))
    return tuple(dict.fromkeys(steps))


_STEP_FAULTS = {
    "unknown": "“%(value)s” is none of %(known)s",
    "minutes": "minutes must be a whole number from 1 to %(n)d, not “%(value)s”",
    "whom": "“%(value)s” cannot be named there: inform names a member, reassign a team or a member, raise nobody",
}


def _ranking(found: Any, faults: list[Fault]) -> Ranking:
    told = found if isinstance(found, Mapping) else {}
    priority = str(told.get("priority") or "")
    if priority not in PRIORITIES:
        faults.append(Fault("priorities", f"{priority or 'an entry'} must be one of {', '.join(PRIORITIES)}"))
    outcomes = _list(told, "outcomes", faults)
    return Ranking(priority, frozenset(str(name) for name in outcomes), str(told.get("when") or "").strip())


def _lost(playbook: Playbook) -> Iterator[Fault]:
    """Ways that lead nowhere, and nodes that no way leads to."""
    if playbook.start not in playbook.nodes:
        yield Fault("start", "must name a node")
    both = playbook.nodes.keys() & playbook.outcomes.keys()
    for name in sorted(both):
        yield Fault(name, "is both a node and an outcome")
    targets = {playbook.start}
    for node in playbook.nodes.values():
        for answer in node.answers.values():
            targets.add(answer.to)
            if answer.to not in playbook.nodes and answer.to not in playbook.outcomes:
                yield Fault(f"{node.name}.{answer.name}", f"leads to {answer.to or 'nothing'}, which is not there")
    for name in playbook.nodes:
        if name not in targets:
            yield Fault(name, "no way leads to it")
    named = {name for ranking in playbook.priorities for name in ranking.outcomes}
    for name in sorted(named - playbook.outcomes.keys()):
        yield Fault("priorities", f"{name} is no outcome")


def _circles(playbook: Playbook) -> Iterator[Fault]:
    """Ways that come back to where they were: such a tree would not end."""
    done: set[str] = set()
    for start in playbook.nodes:
        trail: list[tuple[str, list[str]]] = [(start, _next(playbook, start))] if start not in done else []
        on_way = {start}
        while trail:
            name, ways = trail[-1]
            if not ways:
                done.add(name)
                on_way.discard(name)
                trail.pop()
                continue
            following = ways.pop()
            if following in on_way:
                yield Fault(name, f"leads back to {following}: a mention would go round for ever")
                return
            if following not in done:
                on_way.add(following)
                trail.append((following, _next(playbook, following)))


def _next(playbook: Playbook, name: str) -> list[str]:
    return [answer.to for answer in playbook.nodes[name].answers.values() if answer.to in playbook.nodes]


def _askers(playbook: Playbook, askers: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    for node in [*playbook.nodes.values(), *playbook.beside.values()]:
        if node.ask and node.ask not in askers:
            yield Fault(node.name, f"asks {node.ask}, which is not there; there are {', '.join(sorted(askers))}")
        missing = [answer for answer in askers.get(node.ask, ()) if answer not in node.answers]
        if missing:
            yield Fault(node.name, f"{node.ask} may answer {', '.join(missing)}, which the node lacks")


def _queries(playbook: Playbook) -> Iterator[Fault]:
    for where, query in _places(playbook):
        try:
            parse(query, stage="search")
        except QueryError as error:
            yield Fault(".".join(where), str(error).splitlines()[0])


def _places(playbook: Playbook) -> Iterator[tuple[tuple[str, str], str]]:
    for node in [*playbook.nodes.values(), *playbook.beside.values()]:
        for answer in node.answers.values():
            if answer.when:
                yield (node.name, answer.name), answer.when
    for place, ranking in enumerate(playbook.priorities):
        if ranking.when:
            yield ("priorities", str(place)), ranking.when
