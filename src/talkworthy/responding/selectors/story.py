"""What happened to a complaint: everything that was said, done and promised, in one order of time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from talkworthy.responding.models import Delivery
from talkworthy.responding.selectors.case import CasePage
from talkworthy.routing.models import Message, Timer


@dataclass(frozen=True)
class Line:
    """One line of the story."""

    at: datetime
    kind: str
    """said, answered, note, change, delivery or missed."""
    who: str
    words: str
    text: str = ""


def story_of(page: CasePage) -> list[Line]:
    """The lines, the earliest first."""
    return sorted([*_entries(page), *_changes(page), *_deliveries(page), *_missed(page)], key=lambda line: line.at)


def _entries(page: CasePage) -> Iterator[Line]:
    for entry in page.entries:
        if entry.note is not None:
            who = str(entry.note.by.user) if entry.note.by else _("Somebody who has left")
            yield Line(entry.at, "note", who, _("noted:"), entry.note.text)
        elif entry.said is not None:
            yield _said(entry.said.message)


def _said(message: Message) -> Line:
    text = _("(deleted by its author or the channel)") if message.deleted_at else message.text
    if message.direction == Message.Direction.OUTWARD:
        return Line(message.at, "answered", _("We"), _("answered:"), text)
    who = message.author_name or message.author_handle or _("Somebody")
    return Line(message.at, "said", who, _("wrote:"), text)


def _changes(page: CasePage) -> Iterator[Line]:
    for told in page.history:
        words = f"{told.words} ({told.why})" if told.why else told.words
        yield Line(told.at, "change", told.who or "Talkworthy", words)


def _deliveries(page: CasePage) -> Iterator[Line]:
    rows = Delivery.objects.filter(draft__case=page.case).select_related("by__user").order_by("pk")
    for delivery in rows:
        who = str(delivery.by.user) if delivery.by else "Talkworthy"
        at = delivery.delivered_at or delivery.tried_at or delivery.began_at
        if at is not None:
            yield Line(at, "delivery", who, _("reply: %(state)s") % {"state": delivery.get_state_display()})


def _missed(page: CasePage) -> Iterator[Line]:
    for timer in Timer.objects.filter(case=page.case, outcome="missed").order_by("due_at"):
        words = _("the promised time for “%(what)s” went by") % {"what": timer.get_kind_display()}
        yield Line(timer.due_at, "missed", "Talkworthy", words)
