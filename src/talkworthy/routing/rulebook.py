"""The rules of a workspace ready to match, and what they and the playbook say of many mentions at once.

The same function answers live and in a replay: what it reads is the posts, the rules, the playbook, the monitors with
their touchpoints and how far accounts are heard, and nothing else, so the same version says the same again.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from talkworthy.analysis.meaning import MEANING
from talkworthy.listening.models import Monitor
from talkworthy.listening.ties import Ties, with_ties
from talkworthy.listening.touchpoints import slugs_of
from talkworthy.listening.voices import Heard, heard_of
from talkworthy.query import CompiledQuery, Matcher, QueryError, compile_query, parse
from talkworthy.routing.actions.playbooks import playbook_of
from talkworthy.routing.askers import Facts, Seen
from talkworthy.routing.models import PlaybookVersion, Rule
from talkworthy.routing.playbook import Compiled, compile_playbook
from talkworthy.routing.rules import BadEffect, RoutingPlan, Ruling, plan, read_effects
from talkworthy.routing.steps import Step
from talkworthy.routing.triage import TIED, Triage, decide_all, known
from talkworthy.workspaces.models import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verdict:
    """What is to be done with one mention: what the rules say, and the playbook where a rule asks it."""

    plan: RoutingPlan
    triage: Triage | None = None

    @property
    def opens(self) -> bool:
        """Whether it becomes a case."""
        return self.plan.opens or (self.triage is not None and self.triage.opens)

    @property
    def priority(self) -> str:
        """The class: a rule's word before the playbook's."""
        return self.plan.priority or (self.triage.priority if self.triage else "service")

    @property
    def skills(self) -> tuple[str, ...]:
        """What whoever gets it must know: what rules ask for, and what the outcome does."""
        asked = self.triage.outcome.skills if self.triage else ()
        return tuple(dict.fromkeys((*self.plan.skills, *asked)))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of escalation that its case carries: those of rules, and those of the outcome."""
        asked = self.triage.outcome.escalation if self.triage else ()
        return tuple(dict.fromkeys((*self.plan.steps, *asked)))


@dataclass(frozen=True)
class RuleBook:
    """Rules in their order, with what is needed to ask them."""

    workspace: Workspace
    rulings: Mapping[int, Ruling]
    names: Mapping[int, str]
    queries: tuple[CompiledQuery, ...] = field(repr=False)
    matcher: "Matcher[int]" = field(repr=False)
    monitors: Mapping[int, Seen] = field(repr=False)
    playbook: int | None = None
    compiled: Compiled | None = field(default=None, repr=False)

    def verdicts(self, posts: pa.Table) -> list[Verdict]:
        """What is to be done with each post of a table."""
        if not self.rulings or not posts.num_rows:
            return [Verdict(RoutingPlan())] * posts.num_rows
        touchpoints = slugs_of(self.workspace) if "touchpoint" in self.asks else {}
        told = posts
        if self.asks:
            voices = heard_of(self.workspace, posts.select(["channel", "author"]).to_pylist())
            told = with_ties(posts, Ties(touchpoints)).append_column(
                "influence", pa.array([voice.influence if voice.counted else None for voice in voices], pa.int64())
            )
        plans = [plan(self.rulings[number] for number in found) for found in self.matcher.match(told).by_row()]
        asked = [row for row, found in enumerate(plans) if found.triage and self.compiled is not None]
        triages = dict(
            zip(asked, self._triaged(posts.take(pa.array(asked, pa.int64())).to_pylist(), touchpoints), strict=True)
        )
        return [Verdict(found, triages.get(row)) for row, found in enumerate(plans)]

    @property
    def asks(self) -> frozenset[str]:
        """What rules and playbook ask of posts that these do not hold themselves: touchpoint, influence."""
        queries = (*self.queries, *(self.compiled.queries.values() if self.compiled else ()))
        return TIED & frozenset[str]().union(*(query.columns for query in queries))

    def _triaged(self, rows: Sequence[Mapping[str, Any]], touchpoints: Mapping[int, str]) -> list[Triage]:
        if self.compiled is None or not rows:
            return []
        voices = heard_of(self.workspace, rows)
        facts = [facts_of(row, self.monitors, voice, touchpoints) for row, voice in zip(rows, voices, strict=True)]
        return decide_all(self.compiled, facts)


def facts_of(
    post: Mapping[str, Any], monitors: Mapping[int, Seen], voice: Heard, touchpoints: Mapping[int, str]
) -> Facts:
    """What the playbook is told of a mention, whether it arrives, is replayed, or a person answers a node otherwise."""
    return Facts(
        post=post,
        monitors=[monitors[number] for number in post.get("monitors") or () if number in monitors],
        is_automated=is_automated(post),
        is_told_to_us=post.get("visibility") == "private",
        influence=voice.influence,
        voice=voice.parts,
        touchpoints=tuple(touchpoints[number] for number in post.get("monitors") or () if number in touchpoints),
    )


def is_automated(post: Mapping[str, Any]) -> bool:
    """A bounce, an automatic answer, or an account that says that it is a program: never a case."""
    return "automated" in (post.get("tags") or ()) or bool((post.get("author") or {}).get("automated"))


def rulebook_of(workspace: Workspace, *, now: datetime) -> RuleBook:
    """The rules that are on; compiled again when one of them, a monitor or the playbook changed, and each day."""
    rules = list(Rule.objects.filter(workspace=workspace, enabled=True, deleted_at=None))
    monitors = {
        number: Seen(number, name, kind)
        for number, name, kind in Monitor.objects.filter(workspace=workspace).values_list("pk", "name", "kind")
    }
    active = playbook_of(workspace, now=now).active if rules else None
    stamp = (
        now.date(),
        tuple((rule.pk, rule.position, rule.name, rule.condition, str(rule.effects), rule.stops) for rule in rules),
        tuple(monitors.values()),
        active.pk if active else None,
    )
    held = _BOOKS.get(workspace.pk)
    if held is None or held[0] != stamp:
        held = _BOOKS[workspace.pk] = (stamp, made(workspace, rules, monitors, active, now=now))
    return held[1]


_BOOKS: dict[int, tuple[Any, RuleBook]] = {}


def made(
    workspace: Workspace,
    rules: Iterable[Rule],
    monitors: Mapping[int, Seen],
    active: PlaybookVersion | None,
    *,
    now: datetime,
) -> RuleBook:
    """A rule book of these rules, saved or not; one that cannot be read (any more) is left out and logged."""
    rulings: dict[int, Ruling] = {}
    queries: dict[int, CompiledQuery] = {}
    names: dict[int, str] = {}
    for rule in rules:
        try:
            query = compile_query(parse(rule.condition, stage="search"), now=now, similarity=MEANING)
            ruling = Ruling(rule.pk, rule.version, read_effects(rule.effects), rule.stops)
        except (QueryError, BadEffect) as error:
            log.error("rule %s cannot be followed: %s", rule.pk, error)
            continue
        queries[rule.pk], rulings[rule.pk], names[rule.pk] = query, ruling, rule.name
    asks = active is not None and any(effect.do == "triage" for one in rulings.values() for effect in one.effects)
    compiled = (
        compile_playbook(known(active.tree), now=now, similarity=MEANING) if active is not None and asks else None
    )
    number = active.pk if active and asks else None
    return RuleBook(workspace, rulings, names, tuple(queries.values()), Matcher(queries), monitors, number, compiled)
