"""Posts that programs send: judged one by one, and durable before they are acknowledged."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.api.problems import Problem
from talkworthy.api.tokens import Caller
from talkworthy.archive import unfit
from talkworthy.archive.columns import STORED
from talkworthy.connectors.contract import Connector, Page, Parsed
from talkworthy.connectors.errors import Malformed
from talkworthy.connectors.payload import Payload
from talkworthy.listening.actions import create_source
from talkworthy.listening.collecting import connector_of, keep_page, settings_of
from talkworthy.listening.models import Source
from talkworthy.listening.stores import payloads_of
from talkworthy.workspaces.models import Workspace

LARGEST_CALL = 5_000
"""Items of one call."""

NAME, CONNECTOR, ORIGIN = "API", "webhook", "api"
"""The source through which posts of this interface come; it is made when the first one comes."""


@dataclass(frozen=True)
class Judged:
    """An item: the uid of its post, or the reason why it cannot be used."""

    index: int
    uid: str | None
    reason: str = ""


def items_of(body: bytes) -> list[Any]:
    """The items of a call: one post, a list of them, or an object with `posts`. Raises Problem."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Problem("bad-json", _("The body is not JSON that can be read: %(error)s") % {"error": error}) from error
    if isinstance(document, dict) and document.keys() == {"posts"}:
        document = document["posts"]
    items = document if isinstance(document, list) else [document]
    if not items:
        raise Problem("invalid", _("There is no post in it."))
    if len(items) > LARGEST_CALL:
        raise Problem("too-large", _("A call may hold %(n)s posts: send them in several calls.") % {"n": LARGEST_CALL})
    return items


def keep_items(caller: Caller, items: Sequence[Any], *, now: datetime) -> list[Judged]:
    """Make the items that can be used durable; returns what became of each. Raises Problem where none can be."""
    source = _source(caller, now=now)
    judged = _judged(items, source, now=now)
    good = [items[each.index] for each in judged if each.uid is not None]
    if not good:
        errors = [{"index": each.index, "reason": each.reason} for each in judged]
        raise Problem("invalid", _("None of the posts can be used; `errors` says why."), errors=errors)
    try:
        keep_page(payloads_of(caller.workspace), source, Page(payloads=(_payload(good, now),)), known=None)
    except OSError as error:
        words = _("The posts could not be stored, and none was taken. Send them again later.")
        raise Problem("try-later", words, headers={"Retry-After": "30"}) from error
    still = Source.objects.filter(pk=source.pk, deleted_at=None).exclude(state=Source.State.PAUSED)
    still.update(last_fetch_at=now, state=Source.State.HEALTHY, last_error="")
    return judged


def _source(caller: Caller, *, now: datetime) -> Source:
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=caller.workspace.pk)  # two first calls make one source
        held = Source.objects.filter(workspace=workspace, connector=CONNECTOR, name=NAME, deleted_at=None)
        source = held.select_related("workspace").order_by("pk").first()
        if source is None:
            source = create_source(
                workspace,
                connector=CONNECTOR,
                name=NAME,
                settings={"origin": ORIGIN},
                secrets={"secret": secrets.token_urlsafe(32)},
                interval=3_600,
                by=caller.user,
                now=now,
            )
    if source.state == Source.State.PAUSED:
        words = _("The source “%(name)s” is paused, so nothing was taken. Resume it and send the posts again.")
        raise Problem("paused", words % {"name": NAME})
    return source


def _judged(items: Sequence[Any], source: Source, *, now: datetime) -> list[Judged]:
    read = partial(_parsed, connector_of(source), settings_of(source), now)
    strange = [Judged(index, None, reason) for index, item in enumerate(items) if (reason := _strange(item))]
    left_out = {each.index for each in strange}
    rest = [(index, item) for index, item in enumerate(items) if index not in left_out]
    return sorted([*strange, *_sorted_out(rest, read)], key=lambda each: each.index)


def _sorted_out(items: Sequence[tuple[int, Any]], read: Callable[[Sequence[Any]], Parsed | None]) -> list[Judged]:
    """All at once where nothing is wrong, else in halves, so that each reason finds its item in few steps."""
    if not items:
        return []
    parsed = read([item for _index, item in items])
    against = unfit(parsed.posts) if parsed else []
    if parsed and parsed.posts.num_rows == len(items) and not against:
        uids = parsed.posts["uid"].to_pylist()
        return [Judged(index, uid) for (index, _item), uid in zip(items, uids, strict=True)]
    if len(items) == 1:
        reasons = [*(each.reason for each in (parsed.aside if parsed else ())), *(each.reason for each in against)]
        return [Judged(items[0][0], None, reasons[0] if reasons else _("It cannot be read."))]
    middle = len(items) // 2
    return [*_sorted_out(items[:middle], read), *_sorted_out(items[middle:], read)]


def _parsed(connector: Connector, settings: Mapping[str, Any], now: datetime, items: Sequence[Any]) -> Parsed | None:
    try:
        return connector.parse(_payload(items, now), settings)
    except Malformed:
        return None


def _payload(items: Sequence[Any], now: datetime) -> Payload:
    return Payload(body=json.dumps({"posts": list(items)}).encode(), fetched_at=now)


def _strange(item: Any) -> str:
    """What is wrong with an item before anything of it is read: a name that no column has, most often a slip."""
    if not isinstance(item, dict):
        return str(_("not a JSON object"))
    unknown = sorted(item.keys() - set(STORED.names))
    return _("no column of a post is called “%(name)s”") % {"name": unknown[0]} if unknown else ""
