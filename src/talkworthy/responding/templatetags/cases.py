"""Words and signs of cases, as the inbox and the case page show them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as _noop
from django.utils.translation import ngettext

from talkworthy.listening.labels import channel_title, language_name
from talkworthy.responding.models import ApprovalRule
from talkworthy.responding.noting import MENTION, handle_of
from talkworthy.routing.escalating import origin_in_words, step_in_words
from talkworthy.routing.evidence import worded
from talkworthy.routing.models import Case, Decision, Escalation
from talkworthy.routing.playbook import default_tree
from talkworthy.routing.telling import lacking_words
from talkworthy.workspaces.models import Member

register = template.Library()

SIGNS = {"risk": "warning", "purchase": "spark", "cancel": "out", "service": "reply", "low": "down"}
"""A sign of the sprite for each priority; the word stands beside it."""


@register.filter
def ways(decision: Decision) -> list[dict[str, Any]]:
    """The steps of a decision with the sentence on what each rests, and the answers that a person may give instead."""
    tree = decision.playbook.tree if decision.playbook else {}
    nodes = {**tree.get("nodes", {}), **tree.get("beside", {})}
    return [
        {
            **_once(worded(step)),
            "instead": [
                (name, told.get("label") or name)
                for name, told in nodes.get(step["node"], {}).get("answers", {}).items()
                if name != step["answer"]
            ],
        }
        for step in decision.path
    ]


def _once(step: dict[str, Any]) -> dict[str, Any]:
    """Each word that an answer rests on once, however often it was said."""
    evidence = step.get("evidence") or {}
    pieces: dict[str, Any] = {}
    for piece in evidence.get("pieces") or ():
        pieces.setdefault(str(piece[0]).casefold(), piece)
    return {**step, "evidence": {**evidence, "pieces": list(pieces.values())}}


@register.filter
def due_words(due: datetime | None, now: datetime | None = None) -> str:
    """When it is due: “due in 14 min”, “missed by 2 h”."""
    if due is None:
        return _("no time promised")
    left = due - (now or timezone.now())
    words = _long(abs(left))
    return _("due in %(time)s") % {"time": words} if left >= timedelta(0) else _("missed by %(time)s") % {"time": words}


@register.filter
def step_words(escalation: Escalation) -> str:
    """What a step of escalation does."""
    return step_in_words(escalation.step)


@register.filter
def step_origin(escalation: Escalation) -> str:
    """What gave a step to the case; empty where it is of its class."""
    return origin_in_words(escalation.step)


@register.filter
def due_kind(due: datetime | None, now: datetime | None = None) -> str:
    """danger where it was missed, warn within an hour, else nothing: the words say the same."""
    if due is None:
        return ""
    left = due - (now or timezone.now())
    return "danger" if left < timedelta(0) else "warn" if left < timedelta(hours=1) else ""


@register.filter
def priority_sign(case: Case) -> str:
    """The name of its sign."""
    return SIGNS.get(case.priority, "info")


@register.filter
def channel(name: str) -> str:
    """A channel as people call it."""
    return channel_title(name)


@register.filter
def language(code: str) -> str:
    """A language by its name; empty where there is none."""
    return language_name(code) if code else ""


@register.filter
def with_mentions(text: str) -> SafeString:
    """A note's words, with the members that it names set apart."""
    parts, end = [], 0
    for found in MENTION.finditer(text):
        parts += [
            conditional_escape(text[end : found.start()]),
            format_html('<span class="mention">{}</span>', found[0]),
        ]
        end = found.end()
    return mark_safe("".join([*parts, conditional_escape(text[end:])]))  # noqa: S308 - each part is escaped


SEEN_BY = {
    "public": _noop("public"),
    "unlisted": _noop("public, not listed"),
    "members": _noop("followers or members"),
    "private": _noop("private"),
}
"""Who sees a message, in words."""


@register.filter
def visibility_words(visibility: str) -> str:
    """Who sees a message."""
    return _(SEEN_BY.get(visibility, visibility))


@register.filter
def condition_words(rule: ApprovalRule) -> list[str]:
    """What drafts a rule of approval holds of; nothing: every draft."""
    outcomes = default_tree()["outcomes"]
    words: Mapping[str, Callable[[str], str]] = {
        "visibility": visibility_words,
        "priority": priority_words,
        "channel": channel_title,
        "outcome": lambda name: str((outcomes.get(name) or {}).get("title", name)),
    }
    said = [words[name](one) for name, values in rule.condition.items() if name in words for one in values]
    if (machine := rule.condition.get("machine")) is not None:
        said.append(_("machine drafts") if machine else _("drafts of persons"))
    return said


@register.filter
def handle(member: Member) -> str:
    """What a member is called in notes."""
    return handle_of(member.user.name, member.user.email)


@register.filter
def reasons(reason: Any) -> list[tuple[str, str, int | None]]:
    """Why a case is there: name, words, and the number of a rule. The way through the playbook is drawn by itself."""
    if not isinstance(reason, dict):
        return []
    said: list[tuple[str, str, int | None]] = []
    if reason.get("by_hand"):
        said.append((_("Opened"), _("by hand, from a post"), None))
    for rule in reason.get("rules") or ():
        name = rule.get("name") or _("a rule that is gone")
        said.append((_("Rule"), _("%(name)s, version %(n)s") % {"name": name, "n": rule["version"]}, rule["rule"]))
    return [*said, *((name, words, None) for name, words in _given(reason.get("assigned") or {}))]


PASSED = {
    "away": _noop("away"),
    "full": _noop("no room"),
    "skills": _noop("lack a skill"),
    "language": _noop("do not speak it"),
    "had it": _noop("had it before"),
}
"""Why members were passed over, in words."""


def _given(assigned: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """To whom a case was given, and why them."""
    if skills := assigned.get("skills"):
        yield _("Needs"), ", ".join(skills)
    if unfit := assigned.get("may not work on cases"):
        yield _("Not given to"), _("%(who)s, who may not work on cases") % {"who": unfit}
    if (considered := assigned.get("considered")) is not None:
        words = [ngettext("%(n)d member looked at", "%(n)d members looked at", considered) % {"n": considered}]
        words += [f"{n} {_(PASSED.get(why, why))}" for why, n in (assigned.get("passed") or {}).items()]
        if (load := assigned.get("load")) is not None:
            words.append(_("the one with the most room, %(n)d %% of it taken") % {"n": round(load * 100)})
        yield _("Given"), " · ".join(words)
    if lacking := assigned.get("lacking"):
        yield _("Given to nobody"), lacking_words(lacking)


@register.filter
def outcome_words(decision: Decision) -> str:
    """Where a decision came out, by the title that its playbook gives it."""
    tree = decision.playbook.tree if decision.playbook else {}
    told = tree.get("outcomes", {}).get(decision.outcome) or {}
    return str(told.get("title") or decision.outcome)


@register.filter
def priority_words(priority: str) -> str:
    """A class by its name."""
    return str(dict(Case.Priority.choices).get(priority, priority))


def _long(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 90:
        return _("%(n)d min") % {"n": minutes}
    if minutes < 48 * 60:
        return _("%(n)d h") % {"n": round(minutes / 60)}
    days = round(minutes / 1440)
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
