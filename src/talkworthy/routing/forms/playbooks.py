"""The editor of a playbook: from the fields of its page to a tree, and back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.http import QueryDict
from django.utils.translation import gettext as _

from talkworthy.routing.playbook import LEVELS, PRIORITIES, Fault
from talkworthy.routing.steps import lines_of_rows, rows_of_lines

LONGEST_TREE = 200_000
DEEPEST = 20
EMPTY_ROWS = 1
"""Rows for a further answer that each question shows."""


class BadTree(ValueError):
    """The text is no tree; the message says where."""


@dataclass(frozen=True)
class AnswerRow:
    """One row of a question's answers, as the page shows it."""

    place: int
    name: str = ""
    label: str = ""
    to: str = ""
    when: str = ""


@dataclass(frozen=True)
class NodeCard:
    """One question, as the page shows it; `kind` is nodes or beside."""

    kind: str
    name: str
    question: str = ""
    ask: str = ""
    otherwise: str = ""
    minutes: str = ""
    answers: Sequence[AnswerRow] = ()
    faults: Sequence[str] = field(default_factory=tuple)

    @property
    def prefix(self) -> str:
        """What the names of its fields begin with."""
        return f"{self.kind}-{self.name}"


@dataclass(frozen=True)
class OutcomeRow:
    """One outcome, as the page shows it."""

    name: str
    title: str = ""
    opens: bool = False
    answers: bool = False
    waits: bool = True
    autonomy: str = "observe"
    skills: str = ""
    escalation: str = ""
    faults: Sequence[str] = ()


@dataclass(frozen=True)
class PriorityRow:
    """One class of priority with what is in it."""

    place: int
    priority: str = ""
    outcomes: str = ""
    when: str = ""


@dataclass(frozen=True)
class Editor:
    """Everything that the page of the editor shows."""

    start: str
    nodes: Sequence[NodeCard]
    outcomes: Sequence[OutcomeRow]
    priorities: Sequence[PriorityRow]
    targets: Sequence[tuple[str, str]]
    faults: Sequence[str]
    levels: Sequence[str] = LEVELS
    classes: Sequence[str] = PRIORITIES


def editor_of(tree: Mapping[str, Any], faults: Sequence[Fault] = ()) -> Editor:
    """The page of a tree, each fault at its place, the others on top."""
    named: dict[str, list[str]] = {}
    for fault in faults:
        name, _dot, rest = fault.where.partition(".")
        named.setdefault(name, []).append(f"{rest}: {fault.text}" if rest else fault.text)
    nodes = [
        _card(kind, name, told, named.pop(name, []))
        for kind in ("nodes", "beside")
        for name, told in (tree.get(kind) or {}).items()
    ]
    outcomes = [
        OutcomeRow(
            name,
            str(told.get("title") or ""),
            bool(told.get("opens")),
            bool(told.get("answers")),
            bool(told.get("waits", True)),
            str(told.get("autonomy") or "observe"),
            _joined(told.get("skills")),
            lines_of_rows(told.get("escalation")),
            named.pop(name, []),
        )
        for name, told in (tree.get("outcomes") or {}).items()
    ]
    priorities = [
        PriorityRow(
            place,
            str(told.get("priority") or ""),
            ", ".join(told.get("outcomes") or ()),
            str(told.get("when") or ""),
        )
        for place, told in enumerate(tree.get("priorities") or ())
    ]
    targets = [(name, f"{name} · {told.get('question', '')}") for name, told in (tree.get("nodes") or {}).items()]
    targets += [(name, f"→ {told.get('title') or name}") for name, told in (tree.get("outcomes") or {}).items()]
    return Editor(
        str(tree.get("start") or ""),
        nodes,
        [*outcomes, OutcomeRow("")],
        [*priorities, PriorityRow(len(priorities))],
        targets,
        [f"{where}: {text}" for where, texts in named.items() for text in texts],
    )


def _card(kind: str, name: str, told: Mapping[str, Any], faults: Sequence[str]) -> NodeCard:
    answers = [
        AnswerRow(
            place,
            str(answer),
            str(held.get("label") or ""),
            str(held.get("to") or ""),
            str(held.get("when") or ""),
        )
        for place, (answer, held) in enumerate((told.get("answers") or {}).items())
    ]
    answers += [AnswerRow(len(answers) + more) for more in range(EMPTY_ROWS)]
    return NodeCard(
        kind,
        name,
        str(told.get("question") or ""),
        str(told.get("ask") or ""),
        str(told.get("otherwise") or ""),
        str(told.get("minutes") or ""),
        answers,
        faults,
    )


def _joined(words: Any) -> str:
    return ", ".join(map(str, words)) if isinstance(words, list) else str(words or "")


def tree_of(data: QueryDict, *, name: str) -> dict[str, Any]:
    """The tree that the fields of the page say. What a person emptied is gone; a new question needs a name only."""
    tree: dict[str, Any] = {"name": name, "start": data.get("start", "").strip()}
    for kind in ("nodes", "beside"):
        tree[kind] = {
            held: _node_of(data, f"{kind}-{held}")
            for held in data.getlist(kind)
            if held and not data.get(f"{kind}-{held}-away")
        }
    fresh = data.get("new-node", "").strip()
    if fresh and fresh not in tree["nodes"]:
        outcome = next((held for held in data.getlist("outcome-name") if held), "")
        tree["nodes"][fresh] = {
            "question": data.get("new-question", "").strip() or fresh,
            "ask": "",
            "answers": {"yes": {"label": _("Yes"), "to": outcome}, "no": {"label": _("No"), "to": outcome}},
            "otherwise": "no",
        }
    tree["outcomes"] = _outcomes_of(data)
    tree["priorities"] = _priorities_of(data)
    return tree


def _node_of(data: QueryDict, prefix: str) -> dict[str, Any]:
    answers = {}
    for place, name in enumerate(data.getlist(f"{prefix}-answer")):
        if not name.strip():
            continue
        told = {
            "label": _at(data, f"{prefix}-label", place) or name.strip(),
            "to": _at(data, f"{prefix}-to", place),
        }
        when = _at(data, f"{prefix}-when", place)
        answers[name.strip()] = {**told, "when": when} if when else told
    node: dict[str, Any] = {
        "question": data.get(f"{prefix}-question", "").strip(),
        "ask": data.get(f"{prefix}-ask", "").strip(),
        "answers": answers,
        "otherwise": data.get(f"{prefix}-otherwise", "").strip(),
    }
    minutes = data.get(f"{prefix}-minutes", "").strip()
    if minutes:
        node["minutes"] = int(minutes) if minutes.isdecimal() else minutes
    return node


def _outcomes_of(data: QueryDict) -> dict[str, Any]:
    found = {}
    for place, name in enumerate(data.getlist("outcome-name")):
        if not name.strip():
            continue
        key = _at(data, "outcome-key", place) or name.strip()
        skills = [held.strip() for held in _at(data, "outcome-skills", place).split(",") if held.strip()]
        steps = rows_of_lines(_at(data, "outcome-escalation", place))
        told = {
            "title": _at(data, "outcome-title", place) or name.strip(),
            "opens": f"opens-{key}" in data,
            "answers": f"answers-{key}" in data,
            "waits": f"waits-{key}" in data,
            "autonomy": _at(data, "outcome-autonomy", place) or "observe",
        }
        told |= {"skills": skills} if skills else {}
        found[name.strip()] = told | ({"escalation": steps} if steps else {})
    return found


def _priorities_of(data: QueryDict) -> list[dict[str, Any]]:
    found = []
    for place, name in enumerate(data.getlist("priority")):
        if not name.strip():
            continue
        row: dict[str, Any] = {"priority": name.strip()}
        outcomes = [held.strip() for held in _at(data, "priority-outcomes", place).split(",") if held.strip()]
        when = _at(data, "priority-when", place)
        found.append(row | ({"outcomes": outcomes} if outcomes else {}) | ({"when": when} if when else {}))
    return found


def _at(data: QueryDict, name: str, place: int) -> str:
    values = data.getlist(name)
    return values[place].strip() if place < len(values) else ""


def written(tree: Mapping[str, Any]) -> str:
    """The tree as YAML, to be edited as text or kept elsewhere."""
    return yaml.safe_dump(dict(tree), allow_unicode=True, sort_keys=False, width=110)


def read(text: str) -> dict[str, Any]:
    """The tree of a YAML text. Raises BadTree."""
    if len(text) > LONGEST_TREE:
        raise BadTree(_("A playbook may have at most %(n)s characters.") % {"n": LONGEST_TREE})
    try:
        _refuse_tangled(text)
        found = json.loads(json.dumps(yaml.safe_load(text), allow_nan=False))
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise BadTree(str(error)) from error
    if not isinstance(found, dict):
        raise BadTree(_("The text must be a mapping with start, nodes and outcomes."))
    return found


def _refuse_tangled(text: str) -> None:
    """References can stand for more than any memory holds, and what is nested deep takes minutes to be read."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise BadTree(_("Write out what stands behind * and &: a playbook knows no references."))
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise BadTree(_("It is nested too deep."))
