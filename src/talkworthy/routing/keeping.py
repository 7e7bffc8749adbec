"""Posts as messages of conversations: added, joined late, edited, emptied. All in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Greatest, Least

from talkworthy.people.models import Identity
from talkworthy.routing.conversations import Group, Place, assemble
from talkworthy.routing.models import Case, CaseChange, CaseConversation, Conversation, Message, Wording
from talkworthy.routing.states import LIVE
from talkworthy.workspaces.models import Workspace

TITLE = 200
PIECE = 500


def keep_post(
    workspace: Workspace,
    post: Mapping[str, Any],
    *,
    is_ours: bool,
    identity: Identity | None = None,
    begins: bool = False,
    now: datetime,
) -> Message | None:
    """The post as a message of its conversation; None where it belongs to none and must not begin one."""
    place = place_of(post)
    group = _group(workspace, place)
    if not group.conversations and not begins:
        return None
    conversation = _conversation(workspace, group, post, now=now)
    values = {
        **_values(post),
        "conversation": conversation,
        "parent": place.parent,
        "references": list(place.references),
        "direction": _direction(conversation, post, is_ours=is_ours, is_new=not group.conversations),
    }
    if identity is not None:
        values["identity"] = identity
    message, is_new = Message.objects.get_or_create(workspace=workspace, uid=place.uid, defaults=values)
    if not is_new:  # our own reply that comes back, or a post that is collected again
        kept = {"post_id": values["post_id"], "source": message.source or values["source"], "url": values["url"]}
        Message.objects.filter(pk=message.pk).update(**kept)
        return message
    spoke = {"last_outward_at": post["published_at"]} if is_ours else {}
    if message.direction == Message.Direction.INWARD:
        spoke = {"last_inward_at": post["published_at"]}
    for name, at in spoke.items():
        if (getattr(conversation, name) or at) <= at:
            setattr(conversation, name, at)
    conversation.first_at = min(conversation.first_at, post["published_at"])
    conversation.last_at = max(conversation.last_at, post["published_at"])
    conversation.save()
    return message


def change_message(workspace: Workspace, post: Mapping[str, Any], *, now: datetime) -> Message | None:
    """Bring the copy in step with its edited post, and keep how it read; None where the desk has none."""
    values = _values(post)
    del values["at"], values["monitors"]
    rows = Message.objects.filter(workspace=workspace, uid=post["uid"], deleted_at=None)
    held = rows.select_for_update().first()
    if held is None:
        return None
    if (held.title, held.text) != (values["title"], values["text"]):
        until = values["edited_at"] or now
        Wording.objects.create(message=held, title=held.title, text=held.text, until=until)
    rows.update(**values)
    return Message.objects.get(workspace=workspace, uid=post["uid"])


def empty_message(workspace: Workspace, uid: str, *, now: datetime) -> Message | None:
    """Its author or channel deleted it: the words go, the place in the conversation stays."""
    gone = Message.objects.filter(workspace=workspace, uid=uid, deleted_at=None)
    if not gone.update(title="", text="", media=[], url="", deleted_at=now):
        return None
    message = Message.objects.select_related("conversation").get(workspace=workspace, uid=uid)
    message.wordings.all().delete()
    if message.conversation.root == uid:
        Conversation.objects.filter(pk=message.conversation_id).update(title="")
    retitled = CaseChange.objects.filter(case__workspace=workspace, what="title").values("case")
    empty_cases(
        Case.objects.filter(pk__in=cases_quoting(workspace, [uid]))
        .exclude(pk__in=retitled)
        .values_list("pk", flat=True)
    )
    return message


def cases_quoting(workspace: Workspace, uids: Sequence[str]) -> set[int]:
    """The cases whose titles and reasons are words of these posts: that they began, or that were opened on them."""
    theirs = Case.objects.filter(workspace=workspace)
    begun = Q(conversations__root__in=uids), Q(decisions__uid__in=uids), Q(reason__uid__in=uids)
    return {number for found in begun for number in theirs.filter(found).values_list("pk", flat=True)}


def empty_cases(numbers: Iterable[int]) -> None:
    """Take away what cases quote: their titles, and the words on which triage rests."""
    for case in Case.objects.filter(pk__in=list(numbers)).only("reason"):
        kept = {name: value for name, value in case.reason.items() if name != "triage"}
        Case.objects.filter(pk=case.pk).update(title="–", reason=kept)


def tied(workspace: Workspace, rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The posts that conversations of the desk hold, or that answer or begin one."""
    names = {row["uid"]: {row["uid"], row["in_reply_to"], row["root"], *(row["references"] or ())} for row in rows}
    every = set[str]().union(*names.values()) - {None} if names else set()
    held = held_names(workspace, "uid", every) | held_names(workspace, "parent", names)
    for piece in pieces(every):
        held |= set(Conversation.objects.filter(workspace=workspace, root__in=piece).values_list("root", flat=True))
    return frozenset(uid for uid, own in names.items() if own & held)


def held_names(workspace: Workspace, field: str, names: Iterable[str]) -> set[str]:
    """Which of the names stand in that field of a message."""
    found: set[str] = set()
    for piece in pieces(names):
        rows = Message.objects.filter(workspace=workspace, **{f"{field}__in": piece})
        found |= set(rows.values_list(field, flat=True))
    return found


def pieces(names: Iterable[str]) -> Iterable[list[str]]:
    """The names in pieces that a database takes at once."""
    listed = sorted(set(names))
    return (listed[start : start + PIECE] for start in range(0, len(listed), PIECE))


def place_of(post: Mapping[str, Any]) -> Place:
    """Where a post says that it stands."""
    references = tuple(uid for uid in post.get("references") or () if uid)
    return Place(post["uid"], post.get("in_reply_to") or "", post.get("root") or "", references)


def _group(workspace: Workspace, place: Place) -> Group:
    held: dict[str, set[int]] = {}
    there = Message.objects.filter(workspace=workspace)
    for uid, number in there.filter(uid__in=place.names).values_list("uid", "conversation"):
        held.setdefault(uid, set()).add(number)
    for number in there.filter(parent=place.uid).values_list("conversation", flat=True):
        held.setdefault(place.uid, set()).add(number)
    rooted = Conversation.objects.filter(workspace=workspace, root__in=place.names)
    for uid, number in rooted.values_list("root", "pk"):
        held.setdefault(uid, set()).add(number)
    heads = _heads(workspace, {number for numbers in held.values() for number in numbers})
    lifted = {name: {heads[number].pk for number in numbers} for name, numbers in held.items()}
    [group] = assemble([place], held=lifted, roots={head.pk: head.root for head in heads.values()})
    return group


def _heads(workspace: Workspace, numbers: Iterable[int]) -> dict[int, Conversation]:
    """Each conversation's own, or the one that it was joined into."""
    heads: dict[int, Conversation] = {}
    for number in numbers:
        head, seen = Conversation.objects.get(pk=number, workspace=workspace), {number}
        while head.joined_into_id and head.joined_into_id not in seen:
            seen.add(head.joined_into_id)
            head = Conversation.objects.get(pk=head.joined_into_id)
        heads[number] = head
    return heads


def _conversation(workspace: Workspace, group: Group, post: Mapping[str, Any], *, now: datetime) -> Conversation:
    if not group.conversations:
        return Conversation.objects.create(
            workspace=workspace,
            channel=post["channel"],
            root=group.root,
            title=_title(post),
            is_private=post.get("visibility") == "private",
            first_at=post["published_at"],
            last_at=post["published_at"],
            created_at=now,
        )
    first, *others = group.conversations
    conversation = Conversation.objects.select_for_update().get(pk=first)
    if others:
        _join(conversation, others, now=now)
        conversation.refresh_from_db()
    conversation.root = group.root
    return conversation


def _join(conversation: Conversation, others: Sequence[int], *, now: datetime) -> None:
    """Two were one all along: the rows of both stay, and work on the later ones goes on with the first."""
    joined = list(Conversation.objects.select_for_update().filter(pk__in=others))
    Conversation.objects.filter(pk__in=others).update(joined_into=conversation)
    for other in joined:
        Conversation.objects.filter(pk=conversation.pk).update(
            first_at=Least(F("first_at"), other.first_at), last_at=Greatest(F("last_at"), other.last_at)
        )
    if CaseConversation.objects.filter(conversation=conversation, case__state__in=LIVE).exists():
        return
    for held in CaseConversation.objects.filter(conversation__in=others, case__state__in=LIVE).order_by("case")[:1]:
        CaseConversation.objects.get_or_create(case=held.case, conversation=conversation, defaults={"at": now})


def _direction(conversation: Conversation, post: Mapping[str, Any], *, is_ours: bool, is_new: bool) -> str:
    """From us; to us where it begins, is private, answers us, or is by who was spoken with; else among others."""
    if is_ours:
        return Message.Direction.OUTWARD
    if is_new or post.get("visibility") == "private":
        return Message.Direction.INWARD
    there = Message.objects.filter(conversation=conversation)
    account = (post.get("author") or {}).get("id")
    if account and there.filter(direction=Message.Direction.INWARD, identity__account=account).exists():
        return Message.Direction.INWARD
    parent = post.get("in_reply_to")
    if parent and there.filter(uid=parent, direction=Message.Direction.OUTWARD).exists():
        return Message.Direction.INWARD
    return Message.Direction.AMONG


def _values(post: Mapping[str, Any]) -> dict[str, Any]:
    author = post.get("author") or {}
    return {
        "post_id": post.get("id"),
        "author_name": str(author.get("name") or "")[:300],
        "author_handle": str(author.get("handle") or "")[:300],
        "title": post.get("title") or "",
        "text": post.get("text") or "",
        "url": post.get("url") or "",
        "visibility": str(post.get("visibility") or "public")[:10],
        "language": str(post.get("detected_language") or post.get("language") or "")[:12],
        "sentiment": post.get("sentiment") or "",
        "intent": post.get("intent") or "",
        "urgency": post.get("urgency"),
        "media": list(post.get("media") or ()),
        "source": str(post.get("source") or "")[:80],
        "monitors": list(post.get("monitors") or ()),
        "at": post["published_at"],
        "edited_at": post.get("edited_at"),
    }


def _title(post: Mapping[str, Any]) -> str:
    words = " ".join(str(post.get("title") or post.get("text") or "").split())
    return words[:TITLE]
