"""Everything that the page of a case shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.people.models import Identity, Person
from talkworthy.responding.likeness import LEAST, kept, words_in_common
from talkworthy.routing.models import (
    Case,
    CaseChange,
    CaseConversation,
    CaseRole,
    Conversation,
    ConversationLink,
    Decision,
    Escalation,
    Message,
    Note,
    Timer,
)
from talkworthy.workspaces.models import Member, Team

EARLIER = 8
NEWEST = 1_500
"""So many of the newest settled cases are compared for likeness."""
ALIKE = 5
"""So many of them are shown."""
DEEPEST = 3
DONE = (Case.State.RESOLVED, Case.State.CLOSED)


@dataclass(frozen=True)
class Said:
    """A message in its place: whom it answers, and how deep."""

    message: Message
    answers: Message | None
    depth: int


@dataclass(frozen=True)
class Entry:
    """One thing on the page of a case, in order of time: a message, or a note between them."""

    at: datetime
    said: Said | None = None
    note: Note | None = None


@dataclass(frozen=True)
class Told:
    """One change in words."""

    at: datetime
    who: str
    words: str
    why: str


@dataclass(frozen=True)
class Alike:
    """An earlier case, how probably it is of the same matter, the words that both have, and its nearest sentence."""

    case: Case
    likeness: float
    words: tuple[str, ...]
    sentence: str


@dataclass(frozen=True)
class CasePage:
    """A case with all that stands beside it."""

    case: Case
    entries: Sequence[Entry]
    conversations: Sequence[Conversation]
    links: Sequence[ConversationLink]
    tags: Sequence[str]
    roles: Sequence[CaseRole]
    identity: Identity | None
    person: Person | None
    earlier: Sequence[Case]
    decisions: Sequence[Decision]
    history: Sequence[Told]
    coming: Escalation | None
    """The step of escalation that comes next."""
    escalated: Sequence[Escalation]
    """Those that were taken and not undone, the newest first."""


def page_of(case: Case, *, viewer: Member) -> CasePage:
    """The page of a case that the viewer got from `case_or_404`."""
    conversations = list(case.conversations.order_by("first_at", "pk"))
    identity = case.requester
    person = identity.person if identity else None
    if person is not None and person.root is not None:
        person = person.root
    numbers = [one.pk for one in conversations]
    steps = list(case.escalations.select_related("step__member__user", "step__team").order_by("due_at", "pk"))
    links = ConversationLink.objects.filter(Q(one__in=numbers) | Q(other__in=numbers), undone_at=None)
    return CasePage(
        case,
        _entries(case, numbers),
        conversations,
        list(links.select_related("one", "other", "by").order_by("at", "pk")),
        list(case.tags.values_list("tag", flat=True)),
        list(case.case_roles.select_related("member__user").order_by("role", "pk")),
        identity,
        person,
        _earlier(case, identity, person),
        list(case.decisions.select_related("playbook").order_by("-at", "-pk")[:5]),
        history_of(case),
        next((step for step in steps if step.done_at is None), None),
        [step for step in reversed(steps) if step.done_at is not None and step.undone_at is None],
    )


def history_of(case: Case) -> list[Told]:
    """What was changed, the newest first."""
    rows = CaseChange.objects.filter(case=case).select_related("by").order_by("-at", "-pk")
    return told_of(case, list(rows[:200]))


def told_of(case: Case, changes: Sequence[CaseChange]) -> list[Told]:
    """Changes of a case in words, in their order."""
    names = _names(case.workspace_id, changes)
    return [Told(row.at, str(row.by) if row.by else "", change_in_words(row, names), row.why) for row in changes]


def change_in_words(change: CaseChange, names: dict[tuple[str, int], str]) -> str:
    """A change as a sentence without its subject."""
    old, new = (_named(change.what, value, names) for value in (change.old, change.new))
    label = str(_LABELS.get(change.what, change.what.replace("_", " ")))
    if old and new:
        return _("%(what)s: %(old)s → %(new)s") % {"what": label, "old": old, "new": new}
    if new:
        return _("%(what)s: %(new)s") % {"what": label, "new": new}
    if old:
        return _("%(what)s: no longer %(old)s") % {"what": label, "old": old}
    return label


def alike_to(case: Case) -> list[Alike]:
    """Settled cases whose first message is most like this one's, each with the words that both have."""
    asked = _first_words([case.pk]).get(case.pk, "") or case.title
    settled = Case.objects.filter(workspace_id=case.workspace_id, state__in=DONE).exclude(pk=case.pk)
    titles = dict(settled.order_by("-opened_at").values_list("pk", "title")[:NEWEST])
    said, numbers = _first_words(list(titles)), list(titles)
    texts = [said.get(number) or title for number, title in titles.items()]
    if not asked.strip() or not texts:
        return []
    beside = kept(tuple(texts)).beside(asked)
    order = sorted(range(len(texts)), key=lambda place: -beside.chances[place])[:ALIKE]
    shown = [place for place in order if beside.chances[place] >= LEAST]
    cases = settled.select_related("owner__user").in_bulk([numbers[place] for place in shown])
    found = []
    for place in shown:
        shared = beside.why(place)
        words = words_in_common(shared, asked)
        found.append(Alike(cases[numbers[place]], round(float(beside.chances[place]), 2), words, shared.sentence))
    return found


def teams(*, viewer: Member) -> list[Team]:
    """The teams that a case can be given to."""
    return list(Team.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).order_by("name"))


def _entries(case: Case, conversations: Sequence[int]) -> list[Entry]:
    messages = list(
        Message.objects.filter(conversation__in=conversations)
        .select_related("identity")
        .prefetch_related("wordings")
        .order_by("at", "pk")
    )
    known = {message.uid: message for message in messages}
    depths: dict[str, int] = {}
    for message in messages:
        depths[message.uid] = min(DEEPEST, depths[message.parent] + 1) if message.parent in depths else 0
    found = [Entry(message.at, Said(message, known.get(message.parent), depths[message.uid])) for message in messages]
    notes = Note.objects.filter(case=case, deleted_at=None).select_related("by__user")
    found += [Entry(note.at, note=note) for note in notes]
    return sorted(found, key=lambda entry: entry.at)


def _earlier(case: Case, identity: Identity | None, person: Person | None) -> list[Case]:
    """Other cases of whoever asks, by every account that is known of them."""
    if identity is None:
        return []
    theirs = Q(requester=identity)
    if person is not None:
        theirs |= Q(requester__person=person) | Q(requester__person__root=person)
    rows = Case.objects.filter(theirs, workspace_id=case.workspace_id).exclude(pk=case.pk)
    return list(rows.order_by("-opened_at")[:EARLIER])


def _first_words(cases: Sequence[int]) -> dict[int, str]:
    """The first message to us of each case, of those that are still there."""
    talks: dict[int, list[int]] = {}
    for talk, case in CaseConversation.objects.filter(case__in=cases).values_list("conversation", "case"):
        talks.setdefault(talk, []).append(case)
    rows = Message.objects.filter(
        conversation__in=list(talks), direction=Message.Direction.INWARD, deleted_at=None
    ).values_list("at", "pk", "conversation", "title", "text")
    newest_first = sorted(rows, key=lambda row: row[:2], reverse=True)
    return {case: f"{title}\n{text}".strip() for _at, _pk, talk, title, text in newest_first for case in talks[talk]}


_LABELS = {
    "state": gettext_lazy("State"),
    "owner": gettext_lazy("Owner"),
    "team": gettext_lazy("Team"),
    "priority": gettext_lazy("Priority"),
    "opened": gettext_lazy("Opened"),
    "tag": gettext_lazy("Tag"),
    "tags": gettext_lazy("Tags"),
    "role": gettext_lazy("Part"),
    "snoozed_until": gettext_lazy("Snoozed until"),
    "sent": gettext_lazy("Reply"),
    "deadlines": gettext_lazy("Deadlines"),
    "escalated": gettext_lazy("Escalation"),
    "escalation undone": gettext_lazy("Escalation undone"),
    "steps": gettext_lazy("Steps of escalation"),
}


def _names(workspace: int, changes: Sequence[CaseChange]) -> dict[tuple[str, int], str]:
    """Names of the members and teams that changes speak of by number."""
    numbers = {
        what: {value for row in changes if row.what == what for value in (row.old, row.new) if isinstance(value, int)}
        for what in ("owner", "team")
    }
    found: dict[tuple[str, int], str] = {}
    for member in Member.objects.filter(workspace=workspace, pk__in=numbers["owner"]).select_related("user"):
        found["owner", member.pk] = str(member.user)
    for team in Team.objects.filter(workspace=workspace, pk__in=numbers["team"]):
        found["team", team.pk] = team.name
    return found


def _named(what: str, value: Any, names: dict[tuple[str, int], str]) -> str:
    if value in (None, "", [], {}):
        return ""
    if what in ("owner", "team") and isinstance(value, int):
        return names.get((what, value), _("somebody who has left"))
    if what in ("state", "priority"):
        choices = dict((Case.State if what == "state" else Case.Priority).choices)
        return str(choices.get(value, value))
    if what == "deadlines":
        kinds = dict(Timer.Kind.choices)
        return ", ".join(f"{kinds[kind]} {_moment(at)}" for kind, at in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return str(value)


def _moment(text: str) -> str:
    at = timezone.localtime(datetime.fromisoformat(text))
    return date_format(at, "SHORT_DATETIME_FORMAT")
