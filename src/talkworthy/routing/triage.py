"""Follow a playbook for one mention: node by node, each answer with its evidence, to an outcome. Pure.

At each node a person's word comes first, then the queries of its answers in their order, then its asker, and where
nobody knows, the node's `otherwise`. The same facts, playbook and words of persons give the same path, always: that
is what lets a replay be compared with what happened.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from talkworthy.analysis import urgency
from talkworthy.query import Branch, explain
from talkworthy.routing.askers import ANSWERS, ASKERS, Evidence, Facts, folded_text, offences
from talkworthy.routing.playbook import Answer, Compiled, Node, Outcome, Playbook, read_playbook
from talkworthy.schema import ANNOTATIONS, POST, posts_table

OF_POST = frozenset(POST.names)
SHOWN = OF_POST | set(ANNOTATIONS.names)
TIED = frozenset({"touchpoint", "influence"})
"""What a query may ask of a post that the post does not hold itself."""
COMMUNITY = "community"
Place = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """One node that was passed: what was asked, what was answered, and on what that rests."""

    node: str
    question: str
    answer: str
    label: str
    to: str
    evidence: Evidence

    def as_json(self) -> dict[str, Any]:
        """The step as plain values."""
        return {**asdict(self), "evidence": self.evidence.as_json()}


@dataclass(frozen=True)
class Triage:
    """Where a mention came out, and by which way. `wait` in minutes: the community is answering, so look again then."""

    path: tuple[Step, ...]
    outcome: Outcome
    priority: str
    priority_evidence: Evidence
    influence: float
    """0 to 1: how far the author is heard; 0 where it is not known."""
    urgency: int
    wait: int | None = None

    @property
    def opens(self) -> bool:
        """Whether it becomes a case."""
        return self.outcome.opens

    def as_json(self) -> dict[str, Any]:
        """Everything needed to say why, as plain values."""
        return {
            "path": [step.as_json() for step in self.path],
            "outcome": self.outcome.name,
            "priority": self.priority,
            "priority_evidence": self.priority_evidence.as_json(),
            "influence": self.influence,
            "urgency": self.urgency,
            "wait": self.wait,
        }


def known(tree: Mapping[str, Any]) -> Playbook:
    """The playbook of a tree, with the askers that there are. Raises BadPlaybook."""
    return read_playbook(tree, askers=ANSWERS)


def decide_all(
    compiled: Compiled, facts: Sequence[Facts], *, overrides: Sequence[Mapping[str, str]] | None = None
) -> list[Triage]:
    """As `decide` says of each, some ten times as fast: queries and models look at all of them at once."""
    if not facts:
        return []
    glances = _glances(compiled, facts)
    given = overrides or [{}] * len(facts)
    return [
        _decide(compiled, replace(one, offensive=glance.offensive, may_alarm=glance.may_alarm), words, glance.found)
        for one, words, glance in zip(facts, given, glances, strict=True)
    ]


def decide(compiled: Compiled, facts: Facts, *, overrides: Mapping[str, str] | None = None) -> Triage:
    """Follow the tree from its start. `overrides` are a person's answers by node; one that the node lacks is passed
    over, because the tree may have changed since.
    """
    return _decide(compiled, facts, overrides or {}, None)


@dataclass(frozen=True)
class _Glance:
    """What was seen of one mention among many: the places whose queries match it, the chance of offence, and whether an
    urgent phrase may be in it."""

    found: frozenset[Place]
    offensive: float | None
    may_alarm: bool


def _glances(compiled: Compiled, facts: Sequence[Facts]) -> list[_Glance]:
    found = compiled.matcher.match(_posts(facts)).by_row()
    chances = offences(facts)
    alarming = urgency.may_alarm(pa.array([folded_text(one) for one in facts], pa.string()))
    return [
        _Glance(frozenset(places), one.offensive if one.offensive is not None else chance, alarms)
        for places, chance, alarms, one in zip(found, chances, alarming, facts, strict=True)
    ]


def _posts(facts: Sequence[Facts]) -> pa.Table:
    """The mentions as queries ask them, with what they are tied to."""
    rows = [{"uid": "", **{name: value for name, value in one.post.items() if name in OF_POST}} for one in facts]
    posts = posts_table(rows)
    for column in ANNOTATIONS:
        posts = posts.append_column(column, pa.array([one.post.get(column.name) for one in facts], column.type))
    posts = posts.append_column("influence", pa.array([one.influence for one in facts], pa.int64()))
    touchpoints = [list(one.touchpoints) for one in facts]
    return posts.append_column("touchpoint", pa.array(touchpoints, pa.list_(pa.string())))


def _decide(compiled: Compiled, facts: Facts, given: Mapping[str, str], found: frozenset[Place] | None) -> Triage:
    playbook = compiled.playbook
    path: list[Step] = []
    place = playbook.start
    while place in playbook.nodes:
        step = _ask(compiled, playbook.nodes[place], facts, given, found)
        path.append(step)
        place = step.to
    outcome = playbook.outcomes[place]
    wait = None
    beside = playbook.beside.get(COMMUNITY)
    if beside is not None and outcome.answers and outcome.waits:
        step = _ask(compiled, beside, facts, given, found)
        path.append(step)
        wait = (beside.minutes or 60) if step.to else None
    priority, evidence = _priority(compiled, outcome, facts, found)
    return Triage(
        tuple(path),
        outcome,
        priority,
        evidence,
        (facts.influence or 0) / 100,
        int(facts.post.get("urgency") or 0),
        wait,
    )


def _ask(
    compiled: Compiled, node: Node, facts: Facts, given: Mapping[str, str], found: frozenset[Place] | None
) -> Step:
    answer, evidence = _answer(compiled, node, facts, given, found)
    return Step(node.name, node.question, answer.name, answer.label, answer.to, evidence)


def _answer(
    compiled: Compiled, node: Node, facts: Facts, given: Mapping[str, str], found: frozenset[Place] | None
) -> tuple[Answer, Evidence]:
    word = given.get(node.name, "")
    if word in node.answers:
        return node.answers[word], Evidence("person", "override", word)
    for answer in node.answers.values():
        evidence = _matched(compiled, (node.name, answer.name), facts, found) if answer.when else None
        if evidence is not None:
            return answer, evidence
    if node.ask:
        told = ASKERS[node.ask][0](facts)
        if told is not None and told[0] in node.answers:
            return node.answers[told[0]], told[1]
    return node.answers[node.otherwise], Evidence("nobody", "otherwise", node.otherwise)


def _matched(compiled: Compiled, where: Place, facts: Facts, found: frozenset[Place] | None) -> Evidence | None:
    """The query of a place, where it matches the post, with the words that it found."""
    if found is not None and where not in found:
        return None
    query = compiled.queries[where]
    if TIED & query.columns:  # words and ties cannot be told apart in an explanation: it holds, or does not
        held = found is not None or query.match(_posts([facts]))[0].as_py()
        return Evidence("query", "query", query.query.text) if held else None
    shown = {name: value for name, value in facts.post.items() if name in SHOWN}
    told = explain(query, shown, now=compiled.now, similarity=compiled.similarity)
    if not told.matches:
        return None
    text = facts.post.get("title")
    shift = len(str(text)) + 1 if text else 0
    pieces = []
    for branch in _branches(told.root):
        for hit in branch.hits:
            start = hit.start + (shift if hit.field == "text" else 0)
            pieces.append((hit.text, float(hit.weight), start, start + hit.end - hit.start))
    return Evidence("query", "query", query.query.text, pieces=tuple(dict.fromkeys(pieces))[:8])


def _branches(branch: Branch) -> Iterator[Branch]:
    yield branch
    for below in branch.branches:
        yield from _branches(below)


def _priority(
    compiled: Compiled, outcome: Outcome, facts: Facts, found: frozenset[Place] | None
) -> tuple[str, Evidence]:
    """The first class that takes the mention, in the order in which the playbook lists them."""
    for place, ranking in enumerate(compiled.playbook.priorities):
        if outcome.name in ranking.outcomes:
            return ranking.priority, Evidence("rule", "outcome", outcome.name)
        if ranking.when:
            evidence = _matched(compiled, ("priorities", str(place)), facts, found)
            if evidence is not None:
                return ranking.priority, evidence
        elif not ranking.outcomes:
            return ranking.priority, Evidence("rule", "rest")
    return "low", Evidence("nobody", "otherwise", "low")
