"""A query over cases as a condition on the desk's rows: the filter of the inbox, and where the reports lead."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from talkworthy.people.models import Identity
from talkworthy.query import QueryError, check
from talkworthy.query import fields as readings
from talkworthy.query.check import located_problem
from talkworthy.query.fields import FieldSpec, Takes, Vocabulary
from talkworthy.query.languages import language_code
from talkworthy.query.tree import And, Cased, Comparison, Field, Node, Not, Or, Phrase, Query, Range, Word, bare
from talkworthy.responding.models import CaseSeen
from talkworthy.routing.models import Case, CaseChange, CaseConversation, CaseRole, CaseTag, Message, Timer
from talkworthy.routing.word_index import holding
from talkworthy.workspaces.models import Member

Leaf = Word | Phrase | Cased
LIVE = (Case.State.NEW, Case.State.OPEN, Case.State.WAITING)
"""The states of a case that somebody works on."""
SOON = timedelta(hours=4)
"""A case that is due within it counts as due."""
STANDINGS = (
    "live",
    "mine",
    "informed",
    "unassigned",
    "due",
    "missed",
    "answered",
    "unanswered",
    "reopened",
    "private",
    "unread",
)


def _of(name: str, takes: Takes, help: str, **more: object) -> FieldSpec:
    return FieldSpec(name, takes, (), help, **more)  # type: ignore[arg-type]


_ROWS = (
    _of("number", Takes.NAME, "the number of a case, with or without #"),
    _of("title", Takes.WORDS, "words of the title"),
    _of("text", Takes.WORDS, "words of the messages"),
    _of("state", Takes.ONE_OF, "where the work stands", choices=tuple(Case.State.values)),
    _of("priority", Takes.ONE_OF, "class of the case", choices=tuple(Case.Priority.values)),
    _of("assignee", Takes.NAME, "who has it: a name, an e-mail address, me or none"),
    _of("team", Takes.NAME, "which team has it: its short name, or none"),
    _of("channel", Takes.NAME, "where it came from"),
    _of("language", Takes.LANGUAGE, "language of the first message"),
    _of("tag", Takes.NAME, "a word on the case"),
    _of("touchpoint", Takes.NAME, "where customer and organisation met: its short name"),
    _of("person", Takes.NAME, "number of the person who asks"),
    _of("account", Takes.NAME, "handle or name of the account that asks"),
    _of("outcome", Takes.NAME, "how it ended, or what the playbook said"),
    _of("urgency", Takes.NUMBER, "how soon somebody should look", low=0, high=100, whole=True),
    _of("since", Takes.TIME, "opened then or later"),
    _of("until", Takes.TIME, "opened then or earlier; a date counts to its end"),
    _of("answeredSince", Takes.TIME, "first answered then or later"),
    _of("answeredUntil", Takes.TIME, "first answered then or earlier"),
    _of("resolvedSince", Takes.TIME, "settled then or later"),
    _of("resolvedUntil", Takes.TIME, "settled then or earlier"),
    _of("missedTime", Takes.ONE_OF, "which promised time was missed", choices=tuple(Timer.Kind.values)),
    _of("is", Takes.ONE_OF, "how the case stands", choices=STANDINGS),
)

CASES: Vocabulary = {spec.name: spec for spec in _ROWS}
"""Every field of a query over cases, by its name."""
_TIMES: Mapping[str, str] = {
    "since": "opened_at",
    "until": "opened_at",
    "answeredSince": "first_answered_at",
    "answeredUntil": "first_answered_at",
    "resolvedSince": "resolved_at",
    "resolvedUntil": "resolved_at",
}


def case_query(text: str, *, viewer: Member, now: datetime, by_row: bool = False) -> Q:
    """The condition that a query puts on cases; an empty one puts none. Raises QueryError.

    `by_row` looks for words in each case that is looked at, and not for the cases of a word: for few cases.
    """
    if not text.strip():
        return Q()
    checked = check(text, stage="people", vocabulary=CASES)
    if checked.tree is None:
        raise QueryError(text, checked.errors)
    return _Reader(viewer, checked.tree, now, by_row=by_row).condition(checked.tree.root)


def unread_by(viewer: Member) -> Q:
    """Cases in which somebody wrote what the viewer has not seen."""
    seen = CaseSeen.objects.filter(member=viewer, case=OuterRef("pk"), up_to__gte=OuterRef("last_inward_at"))
    return Q(last_inward_at__isnull=False) & ~Q(Exists(seen))


def names_a_state(text: str) -> bool:
    """Whether the query says itself which states it looks at, so that settled cases are not left out."""
    lowered = text.casefold()
    return any(f"{name}:" in lowered for name in ("state", "number", "resolvedsince", "resolveduntil", "missedtime"))


def seeks_words(text: str) -> bool:
    """Whether the query looks for words in titles, names or messages: their cases are found first, and then sorted."""
    checked = check(text, stage="people", vocabulary=CASES) if text.strip() else None
    return checked is not None and checked.tree is not None and _seeks(checked.tree.root)


def _seeks(node: Node) -> bool:
    node = bare(node)
    if isinstance(node, And | Or):
        return any(_seeks(operand) for operand in node.operands)
    if isinstance(node, Not):
        return _seeks(node.operand)
    if isinstance(node, Field):
        return node.name in ("title", "text", "account", "number", "person")
    return isinstance(node, Word | Phrase | Cased)


class _Reader:
    """One query being turned into a condition."""

    def __init__(self, viewer: Member, query: Query, now: datetime, *, by_row: bool = False) -> None:
        self.viewer, self.query, self.now, self.by_row = viewer, query, now, by_row

    def condition(self, node: Node) -> Q:
        node = bare(node)
        if isinstance(node, And | Or):
            return self._joined(node, self.condition)
        if isinstance(node, Not):
            return ~self.condition(node.operand)
        if isinstance(node, Word | Phrase | Cased):
            return self._words(node)
        if isinstance(node, Field):
            if isinstance(node.value, Range | Comparison):
                return _number(node.value)
            return self._values(node.name, node.value)
        raise self._refused(node, "a query over cases takes words, fields, AND, OR and NOT")

    def _joined(self, node: And | Or, read: Callable[[Node], Q]) -> Q:
        conditions = [read(operand) for operand in node.operands]
        joined = conditions[0]
        for condition in conditions[1:]:
            joined = joined & condition if isinstance(node, And) else joined | condition
        return joined

    def _values(self, name: str, value: Node) -> Q:
        value = bare(value)
        if isinstance(value, And | Or):
            return self._joined(value, lambda operand: self._values(name, operand))
        if isinstance(value, Not):
            return ~self._values(name, value.operand)
        if isinstance(value, Word | Phrase | Cased):
            return self._leaf(name, value)
        raise self._refused(value, f"{name}: takes values joined by OR, AND or NOT")

    def _leaf(self, name: str, leaf: Leaf) -> Q:
        text = leaf.text.strip()
        match name:
            case "number":
                digits = text.removeprefix("#")
                return Q(number=int(digits)) if digits.isdecimal() and len(digits) < 10 else Q(pk=None)
            case "title":
                return self._titled(text.rstrip("*"))
            case "text":
                return self._saying(text.rstrip("*"))
            case "state" | "priority":
                return Q(**{name: readings.read_choice(CASES[name], text)})
            case "assignee":
                return self._assignee(text)
            case "team" | "touchpoint":
                return Q(**{f"{name}__isnull": True}) if text == "none" else Q(**{f"{name}__slug__iexact": text})
            case "channel" | "outcome":
                return Q(**{f"{name}__iexact": text})
            case "language":
                return Q(language__iexact=language_code(text) or text)
            case "tag":
                return Q(Exists(CaseTag.objects.filter(case=OuterRef("pk"), tag__iexact=text)))
            case "person":
                return self._person(text)
            case "account":
                named = text.removeprefix("@")
                return self._named(named) | Q(requester__handle__iexact=named)
            case "urgency":
                return _number(Range(float(text), float(text)))
            case "missedTime":
                return self._missed(readings.read_choice(CASES[name], text))
            case "is":
                return self._is(readings.read_choice(CASES["is"], text))
        if name in _TIMES:
            return self._time(name, text)
        raise self._refused(leaf, f"{name}: is no field of cases")

    def _words(self, leaf: Leaf) -> Q:
        text = leaf.text.strip().rstrip("*")
        if text.startswith("#") and text[1:].isdecimal():
            return Q(number=int(text[1:][:9]))
        if self.by_row:
            return self._titled(text) | self._named(text) | self._saying(text)
        found = (self._cases_titled(text), self._cases_named(text), self._cases_saying(text))
        return Q(pk__in=found[0].union(*found[1:], all=True))

    def _titled(self, text: str) -> Q:
        return Q(title__icontains=text) if self.by_row else Q(pk__in=self._cases_titled(text))

    def _named(self, text: str) -> Q:
        if not self.by_row:
            return Q(pk__in=self._cases_named(text))
        return Q(Exists(Identity.objects.filter(pk=OuterRef("requester"), name__icontains=text)))

    def _saying(self, text: str) -> Q:
        if not self.by_row:
            return Q(pk__in=self._cases_saying(text))
        talks = CaseConversation.objects.filter(case=OuterRef("pk"), conversation__messages__text__icontains=text)
        return Q(Exists(talks))

    def _cases_titled(self, text: str) -> QuerySet[Any]:
        return self._cases().filter(holding(Case, text)).order_by().values("pk")

    def _cases_named(self, text: str) -> QuerySet[Any]:
        """Cases of whoever has it in their name."""
        names = Identity.objects.filter(holding(Identity, text), workspace=self.viewer.workspace_id)
        return self._cases().filter(requester__in=names.values("pk")).order_by().values("pk")

    def _cases_saying(self, text: str) -> QuerySet[Any]:
        """Cases with a message that has it."""
        messages = Message.objects.filter(holding(Message, text), workspace=self.viewer.workspace_id)
        return CaseConversation.objects.filter(conversation__in=messages.values("conversation")).values("case")

    def _cases(self) -> QuerySet[Case]:
        return Case.objects.filter(workspace=self.viewer.workspace_id)

    def _assignee(self, text: str) -> Q:
        if text.casefold() == "none":
            return Q(owner=None)
        if text.casefold() == "me":
            return Q(owner=self.viewer)
        found = Member.objects.filter(workspace=self.viewer.workspace_id)
        return Q(owner__in=found.filter(Q(user__email__iexact=text) | Q(user__name__iexact=text)).values("pk"))

    def _person(self, text: str) -> Q:
        number = int(text) if text.isdecimal() and len(text) < 18 else 0
        return Q(requester__person=number) | Q(requester__person__root=number)

    def _missed(self, kind: str) -> Q:
        return Q(Exists(Timer.objects.filter(case=OuterRef("pk"), kind=kind, outcome="missed")))

    def _time(self, name: str, text: str) -> Q:
        first, after = readings.read_time(CASES[name], text).bounds(self.now)
        if name in ("since", "answeredSince", "resolvedSince"):
            return Q(**{f"{_TIMES[name]}__gte": first})
        return Q(**{f"{_TIMES[name]}__lt": max(after, first + readings.INSTANT)})

    def _is(self, what: str) -> Q:
        match what:
            case "live":
                return Q(state__in=LIVE)
            case "mine":
                return Q(owner=self.viewer)
            case "informed":
                return Q(Exists(CaseRole.objects.filter(case=OuterRef("pk"), member=self.viewer)))
            case "unassigned":
                return Q(owner=None)
            case "due":
                return Q(due_at__lte=self.now + SOON)
            case "missed":
                return Q(due_at__lte=self.now) | Q(Exists(Timer.objects.filter(case=OuterRef("pk"), outcome="missed")))
            case "unread":
                return unread_by(self.viewer)
            case "answered":
                return Q(first_answered_at__isnull=False)
            case "unanswered":
                return Q(last_answered_at=None) | Q(last_inward_at__gt=F("last_answered_at"))
            case "reopened":
                done = (Case.State.RESOLVED, Case.State.CLOSED)
                changes = CaseChange.objects.filter(case=OuterRef("pk"), what="state", old__in=done)
                return Q(Exists(changes))
        talks = CaseConversation.objects.filter(case=OuterRef("pk"), conversation__is_private=True)
        return Q(Exists(talks))

    def _refused(self, node: Node, message: str) -> QueryError:
        place = located_problem("E-VALUE", message, self.query.text, node.source.start, node.source.end)
        return QueryError(self.query.text, (place,))


def _number(value: Range | Comparison) -> Q:
    if isinstance(value, Range):
        return Q(urgency__gte=value.low, urgency__lte=value.high)
    lookup = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}[value.operator]
    return Q(**{f"urgency__{lookup}": value.number})
