"""Tags and filters that every template has: times, numbers, signs, addresses, permission."""

import hashlib
import json
import uuid
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.contrib.messages.storage.base import Message
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format, time_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from talkworthy.workspaces.models import AuditEntry, Member
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.permissions import may as role_may
from talkworthy.workspaces.requests import UNDO

register = template.Library()

TINTS = 10


@register.simple_tag
def asset(path: str) -> str:
    """Address of a static file, with a mark that changes when the file does."""
    return f"{static(path)}?{_mark(path)}" if not settings.DEBUG else f"{static(path)}?{_read_mark(path)}"


@lru_cache(maxsize=256)
def _mark(path: str) -> str:
    return _read_mark(path)


def _read_mark(path: str) -> str:
    found = finders.find(path)
    if not isinstance(found, str):
        return "0"
    return hashlib.sha256(Path(found).read_bytes()).hexdigest()[:10]


@register.simple_tag
def once() -> SafeString:
    """The key of a form that makes something: sent twice, it is done once (`workspaces/once.py`)."""
    return format_html('<input type="hidden" name="once" value="{}">', uuid.uuid4().hex)


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A sign of the sprite; with a label it speaks, without it is decoration."""
    address = f"{asset('talkworthy/icons.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, address)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', address)


@register.simple_tag(takes_context=True)
def here(context: template.Context, route: str, *args: Any, **kwargs: Any) -> str:
    """Address of a page of the current workspace: `{% here "listening:source" source.pk %}`."""
    return in_workspace(context["workspace"].slug, route, *args, **kwargs)


def in_workspace(slug: str, route: str, *args: Any, **kwargs: Any) -> str:
    """Address of a page of a workspace, its slug first."""
    if kwargs:
        return reverse(route, kwargs={"workspace": slug, **kwargs})
    return reverse(route, args=(slug, *args))


@register.simple_tag
def moment(at: datetime | None, never: str = "") -> SafeString | str:
    """A time in words (“3 min ago”), exact on hover; the page keeps the words fresh."""
    if at is None:
        return never or _("never")
    return format_html('<time class="moment" datetime="{}" title="{}">{}</time>', at.isoformat(), exact(at), ago(at))


@register.filter
def ago(at: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in the largest unit that fits; a date from a week on."""
    if at is None:
        return _("never")
    passed = (now or timezone.now()) - at
    if passed < timedelta(0):
        return _("in %(time)s") % {"time": span(-passed)} if passed < -timedelta(seconds=45) else _("just now")
    if passed < timedelta(seconds=45):
        return _("just now")
    if passed < timedelta(days=7):
        return _("%(time)s ago") % {"time": span(passed)}
    local = timezone.localtime(at)
    return date_format(local, "j M Y" if local.year != timezone.localtime(now).year else "j M")


@register.filter
def span(passed: timedelta | float | int | None) -> str:
    """A length of time in its largest unit; seconds where a number is given."""
    if passed is None:
        return "–"
    seconds = passed.total_seconds() if isinstance(passed, timedelta) else float(passed)
    if seconds < 60:
        return ngettext("%(n)d s", "%(n)d s", round(seconds)) % {"n": round(seconds)}
    if seconds < 3600:
        return _("%(n)d min") % {"n": round(seconds / 60)}
    if seconds < 36 * 3600:
        return _("%(n)d h") % {"n": round(seconds / 3600)}
    days = round(seconds / 86400)
    return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}


@register.filter
def exact(at: datetime | None) -> str:
    """Date, time and zone, to the second."""
    if at is None:
        return ""
    local = timezone.localtime(at)
    return f"{date_format(local, 'D j M Y')}, {time_format(local, 'H:i:s')} {local.tzname() or ''}".strip()


@register.filter
def number(value: float | int | None, places: int = 0) -> str:
    """A number with its thousands apart; a dash for none."""
    if value is None:
        return "–"
    return number_format(round(value, places), decimal_pos=places, use_l10n=True, force_grouping=True)


@register.filter
def compact(value: float | int | None) -> str:
    """A number short enough for a chip: 950, 1.2k, 3.4M, 5B."""
    if value is None:
        return "–"
    for size, sign in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "k")):
        if abs(value) >= size:
            short = round(value / size, 1) if abs(value) < 10 * size else round(value / size)
            return f"{number(short, 0 if short == int(short) else 1)}{sign}"
    return number(value)


@register.filter
def percent(share: float | None, places: int = 0) -> str:
    """A share of one as percent."""
    return "–" if share is None else f"{number(share * 100, places)} %"


@register.filter
def may(member: Member | None, permission: str) -> bool:
    """Whether the member's role allows it: `{% if member|may:"edit sources" %}`."""
    return member is not None and role_may(member.role, Permission(permission))


@register.filter
def initials(name: str) -> str:
    """One or two letters that stand for a name."""
    words = [word for word in str(name).replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    letters = words[0][0] + (words[-1][0] if len(words) > 1 else "")
    return letters.upper()


@register.filter
def tint(name: object) -> int:
    """A number from 0 to 9 that stays with the name: the colour of an avatar."""
    return hashlib.sha256(str(name).encode()).digest()[0] % TINTS


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """The value of a key that is itself a variable; None where it is missing."""
    try:
        return mapping[key]
    except (KeyError, IndexError, TypeError):
        return None


@register.filter
def undo_address(message: Message) -> str:
    """Where a message's undo is posted to; empty where there is none."""
    tags = message.extra_tags or ""
    return tags.removeprefix(UNDO) if tags.startswith(UNDO) else ""


@register.filter
def changes(entry: AuditEntry) -> list[tuple[str, str | None, str | None]]:
    """Fields of an audit entry as (name, old, new); what neither was nor is anything is left out."""
    before, after = _flat(entry.before or {}), _flat(entry.after or {})
    told = [(name, _told(before.get(name)), _told(after.get(name))) for name in {**before, **after}]
    return [(name, old, new) for name, old, new in told if old or new]


def _flat(fields: dict[str, Any]) -> dict[str, Any]:
    """With a mapping's own fields in the place of the mapping."""
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        inner = {f"{name}: {key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
        flat.update(inner)
    return flat


def _told(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value))[:400]
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"


@register.filter
def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def unlocal(value: float | int) -> str:
    """A number as attributes of HTML want it: with a point, without groups."""
    return repr(round(value, 6))


@register.filter
def probable(value: float | None) -> str:
    """A probability: 0.012, or 3 in a million where it is small."""
    if value is None:
        return "–"
    if value >= 0.001:
        return number(value, 3)
    if value >= 1e-9:
        return _("%(n)s in a million") % {"n": number(value * 1e6, 0 if value >= 1e-5 else 2)}
    return _("less than one in a thousand million")


@register.filter
def clock(text: str | None) -> str:
    """A time that is stored as text (ISO 8601), exactly; the text itself where it is none."""
    try:
        return exact(datetime.fromisoformat(text or ""))
    except ValueError:
        return text or "–"
