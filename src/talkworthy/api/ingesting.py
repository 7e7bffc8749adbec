"""Posts that programs send: judged one by one, and durable before they are acknowledged."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.api.problems import Problem
from talkworthy.api.tokens import Caller
from talkworthy.archive import unfit
from talkworthy.archive.columns import STORED
from talkworthy.connectors.contract import Connector, Malformed, Page, Parsed, Payload
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
        keep_page(payloads_of(caller.workspace), source, Page(payloads=(_payload(good, now),)))
    except OSError as error:
        words = _("The posts could not be stored, and none was taken. Send them again later.")
        raise Problem("try-later", words, headers={"Retry-After": "30"}) from error
    Source.objects.filter(pk=source.pk).update(last_fetch_at=now, state=Source.State.HEALTHY, last_error="")
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
    """All at once where nothing is wrong, else one by one so that each reason finds its item."""
    connector, settings = connector_of(source), settings_of(source)
    strange = {index: reason for index, item in enumerate(items) if (reason := _strange(item))}
    if not strange:
        parsed = _parsed(connector, items, settings, now)
        if parsed is not None and parsed.posts.num_rows == len(items) and not unfit(parsed.posts):
            return [Judged(index, uid) for index, uid in enumerate(parsed.posts["uid"].to_pylist())]
    return [
        Judged(index, None, strange[index]) if index in strange else _one(index, item, connector, settings, now)
        for index, item in enumerate(items)
    ]


def _one(index: int, item: Any, connector: Connector, settings: Mapping[str, Any], now: datetime) -> Judged:
    parsed = _parsed(connector, [item], settings, now)
    if parsed is None or not parsed.posts.num_rows:
        return Judged(index, None, parsed.aside[0].reason if parsed and parsed.aside else _("It cannot be read."))
    against = unfit(parsed.posts)
    return Judged(index, None, against[0].reason) if against else Judged(index, parsed.posts["uid"][0].as_py())


def _parsed(connector: Connector, items: Sequence[Any], settings: Mapping[str, Any], now: datetime) -> Parsed | None:
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
