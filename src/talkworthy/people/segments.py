"""A query over people as a condition on the desk's rows.

What is said of a person may stand with any of the records merged into them, so each field asks those rows for the
person at the end of their chain.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from talkworthy.analysis.names import folded_name, latin_name
from talkworthy.people.fields import PEOPLE
from talkworthy.people.models import Attribute, Consent, Identity, Person, PersonRole, Segment
from talkworthy.query import QueryError, check
from talkworthy.query import fields as readings
from talkworthy.query.check import located_problem
from talkworthy.query.tree import And, Cased, Comparison, Field, Node, Not, Or, Phrase, Query, Range, Word, bare
from talkworthy.workspaces.models import Workspace

Leaf = Word | Phrase | Cased
MOST_SEGMENTS = 8
"""How deep segments may name one another."""


def people_query(workspace: Workspace, text: str, *, now: datetime | None = None, within: tuple[str, ...] = ()) -> Q:
    """The condition that a query puts on persons; an empty one puts none. Raises QueryError.

    `within` are the segments that are being read: one that names itself is refused.
    """
    if not text.strip():
        return Q()
    checked = check(text, stage="people", vocabulary=PEOPLE)
    if checked.tree is None:
        raise QueryError(text, checked.errors)
    return _Reader(workspace, checked.tree, now or timezone.now(), within).condition(checked.tree.root)


class _Reader:
    """One query being turned into a condition."""

    def __init__(self, workspace: Workspace, query: Query, now: datetime, within: tuple[str, ...]) -> None:
        self.workspace, self.query, self.now, self.within = workspace, query, now, within

    def condition(self, node: Node) -> Q:
        node = bare(node)
        if isinstance(node, And | Or):
            return self._joined(node, self.condition)
        if isinstance(node, Not):
            return ~self.condition(node.operand)
        if isinstance(node, Word | Phrase | Cased):
            return _words_in("words", node)
        if isinstance(node, Field):
            return self._field(node)
        raise self._refused(node, "a query over people takes words, fields, AND, OR and NOT")

    def _joined(self, node: And | Or, read: Callable[[Node], Q]) -> Q:
        conditions = [read(operand) for operand in node.operands]
        joined = conditions[0]
        for condition in conditions[1:]:
            joined = joined & condition if isinstance(node, And) else joined | condition
        return joined

    def _field(self, node: Field) -> Q:
        if isinstance(node.value, Range | Comparison):
            return self._number(node.value)
        return self._values(node.name, node.value)

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
            case "name":
                return _words_in("words", leaf)
            case "organisation":
                found = self._persons(_words_in("organisation__folded", leaf, bordered=False))
                return _among(found)
            case "note":
                return _among(self._persons(Q(note__icontains=text)))
            case "bio":
                return _among(self._accounts(Q(bio__icontains=text)))
            case "handle" | "channel" | "account":
                return _among(self._accounts(_named(name, text.removeprefix("@"))))
            case "followers":
                return self._number(Range(float(text), float(text)))
            case "email" | "language":
                return _among(self._known(name, _named("value", text)))
            case "phone":
                return _among(self._known(name, Q(value__regex=_digits(text))))
            case "city" | "country":
                return _among(self._known(name, Q(value__icontains=text.rstrip("*"))))
            case "source":
                return _among(self._known("", _named("source", text)))
            case "role":
                role = readings.read_choice(PEOPLE["role"], text)
                return _among(_roots(PersonRole.objects.filter(role=role, until=None)))
            case "consent":
                return _among(self._consenting(text))
            case "basis" | "notice":
                return Q(**{name: readings.read_choice(PEOPLE[name], text)})
            case "keptUntil" | "since" | "until" | "seen":
                return self._time(name, text)
            case "person":
                return Q(pk=int(text)) if text.isdecimal() and len(text) < 18 else Q(pk=None)
            case "segment":
                return self._segment(leaf)
            case "has":
                return self._has(readings.read_choice(PEOPLE["has"], text))
            case "is":
                return self._is(readings.read_choice(PEOPLE["is"], text))
        raise self._refused(leaf, f"{name}: is no field of people")

    def _number(self, value: Range | Comparison) -> Q:
        if isinstance(value, Range):
            return _among(self._accounts(Q(followers__gte=value.low, followers__lte=value.high)))
        lookup = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}[value.operator]
        return _among(self._accounts(Q(**{f"followers__{lookup}": value.number})))

    def _time(self, name: str, text: str) -> Q:
        first, after = readings.read_time(PEOPLE[name], text).bounds(self.now)
        if name == "keptUntil":
            return Q(retain_until__lt=max(after, first + readings.INSTANT))
        if name == "since":
            return Q(created_at__gte=first)
        if name == "until":
            return Q(created_at__lt=max(after, first + readings.INSTANT))
        return _among(self._accounts(Q(last_seen_at__gte=first)))

    def _segment(self, leaf: Leaf) -> Q:
        slug = leaf.text.strip().casefold()
        if slug in self.within:
            raise self._refused(leaf, f"segment:{slug} would ask itself")
        if len(self.within) >= MOST_SEGMENTS:
            raise self._refused(leaf, f"segments name one another more than {MOST_SEGMENTS} deep")
        segment = Segment.objects.filter(workspace=self.workspace, slug=slug, deleted_at=None).first()
        if segment is None:
            raise self._refused(leaf, f"there is no segment {slug}")
        condition = people_query(self.workspace, segment.query, now=self.now, within=(*self.within, slug))
        return _among(Person.objects.filter(condition, workspace=self.workspace, merged_into=None).values("pk"))

    def _has(self, what: str) -> Q:
        match what:
            case "identity":
                return _among(self._accounts(Q()))
            case "organisation":
                return _among(self._persons(Q(organisation__isnull=False)))
            case "note":
                return _among(self._persons(~Q(note="")))
            case "role":
                return _among(_roots(PersonRole.objects.filter(until=None)))
            case "consent":
                return _among(self._consenting("*"))
            case "parts":
                return _among(Person.objects.filter(workspace=self.workspace).exclude(root=None).values("root"))
        return _among(self._known(what, Q()))

    def _is(self, what: str) -> Q:
        match what:
            case "due":
                return Q(retain_until__lte=self.now)
            case "merged":
                return _among(Person.objects.filter(workspace=self.workspace).exclude(root=None).values("root"))
            case "verified":
                return _among(self._accounts(Q(verified=True)))
        return _among(self._accounts(Q(**{f"is_{what}": True})))

    # Rows that say it, as the persons at the end of their chains

    def _persons(self, condition: Q) -> QuerySet[Any]:
        rows = Person.objects.filter(condition, workspace=self.workspace)
        return rows.annotate(head=Coalesce(F("root_id"), F("pk"))).values("head")

    def _accounts(self, condition: Q) -> QuerySet[Any]:
        return _roots(Identity.objects.filter(condition, workspace=self.workspace, person__isnull=False))

    def _known(self, name: str, condition: Q) -> QuerySet[Any]:
        rows = Attribute.objects.filter(condition, person__workspace=self.workspace)
        return _roots(rows.filter(name=name) if name else rows)

    def _consenting(self, purpose: str) -> QuerySet[Any]:
        """Whose newest word on the purpose is yes."""
        newest = (
            Consent.objects.filter(person=OuterRef("person"), purpose=OuterRef("purpose"))
            .values("purpose")
            .annotate(last=Max("pk"))
            .values("last")
        )
        rows = Consent.objects.filter(_named("purpose", purpose), person__workspace=self.workspace, given=True)
        return _roots(rows.filter(pk=Subquery(newest)))

    def _refused(self, node: Node, message: str) -> QueryError:
        place = located_problem("E-VALUE", message, self.query.text, node.source.start, node.source.end)
        return QueryError(self.query.text, (place,))


def _roots(rows: QuerySet[Any]) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.annotate(head=Coalesce(F("person__root_id"), F("person_id"))).values("head")
    return found


def _among(numbers: QuerySet[Any]) -> Q:
    return Q(pk__in=numbers)


def _words_in(column: str, leaf: Leaf, *, bordered: bool = True) -> Q:
    """That the words stand side by side, whole unless a wildcard ends them; each spelling will do."""
    is_prefix = leaf.text.rstrip().endswith("*")
    spellings = {read(leaf.text.replace("*", "")) for read in (folded_name, latin_name)}
    found = Q(pk=None)
    for spelling in sorted(spelling for spelling in spellings if spelling):
        if bordered:
            found |= Q(**{f"{column}__contains": f" {spelling}" if is_prefix else f" {spelling} "})
        else:
            found |= Q(**{f"{column}__regex": rf"(^| ){re.escape(spelling)}{'' if is_prefix else '( |$)'}"})
    exact = leaf.text.strip().casefold()
    return found | Q(**{f"{column}__contains": f" {exact} "}) if bordered and "@" in exact else found


def _named(column: str, text: str) -> Q:
    """That a value is this one, whatever its case; * and ? stand for letters."""
    if "*" not in text and "?" not in text:
        return Q(**{f"{column}__iexact": text})
    return Q(**{f"{column}__iregex": wildcards(text)})


def wildcards(text: str) -> str:
    """An expression of what * and ? stand for. It goes on to where a piece stands first and never back: with .* for
    each * a value of a few hundred letters that almost fits would be looked at for hours."""
    first, *others = [
        "".join("." if letter == "?" else re.escape(letter) for letter in piece) for piece in text.split("*")
    ]
    middle = "".join(f"(?:(?!{piece}).)*{piece}" for piece in others[:-1] if piece)
    return f"^{first}{middle}{f'.*{others[-1]}' if others else ''}$"


def _digits(text: str) -> str:
    """An expression that finds a number however it is grouped."""
    return r"[^0-9]*".join(re.sub(r"\D", "", text)) or "^$"
