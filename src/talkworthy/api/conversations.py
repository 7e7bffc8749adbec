"""Conversations of a case: every message in its order, with how it read before it was edited."""

from typing import Any

from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from talkworthy.api.routes import operation
from talkworthy.api.shapes import Id, Moment
from talkworthy.api.tokens import CallerRequest
from talkworthy.routing import actions
from talkworthy.routing.models import Conversation, Message
from talkworthy.routing.selectors.cases import case_or_404, conversation_or_404

router = Router(tags=["conversations"])


class WordingShape(Schema):
    """How a message read until it was edited."""

    title: str
    text: str
    until: Moment


class MessageShape(Schema):
    """One message. `direction` is inward, outward or among."""

    uid: str
    direction: str
    author_name: str
    author_handle: str
    title: str
    text: str
    url: str
    visibility: str
    language: str
    parent: str = Field(description="uid of what it answers; empty: nothing.")
    at: Moment
    edited_at: Moment | None
    deleted_at: Moment | None
    wordings: list[WordingShape]


class ConversationShape(Schema):
    """Posts to and fro, tied by replies."""

    id: Id
    channel: str
    title: str
    is_private: bool
    first_at: Moment
    last_at: Moment


class ConversationWhole(ConversationShape):
    """A conversation with its messages, and the cases that work on it."""

    messages: list[MessageShape]
    cases: list[Id] = Field(description="Numbers of cases.")


class Conversations(Schema):
    """The conversations that a case works on, the earliest first."""

    conversations: list[ConversationShape]


@operation(router, "GET", "/cases/{int:number}/conversations", scope="cases:read", response=Conversations)
def list_conversations(request: CallerRequest, number: int) -> dict[str, Any]:
    """The conversations that a case works on."""
    case = case_or_404(number, viewer=request.auth.member)
    return {"conversations": [_shape(one) for one in case.conversations.order_by("first_at", "pk")]}


@operation(router, "PUT", "/cases/{int:number}/conversations/{int:conversation_id}", scope="cases:write",
           response=Conversations)  # fmt: skip
def add_conversation(request: CallerRequest, number: int, conversation_id: int) -> dict[str, Any]:
    """Let a case work on a further conversation."""
    caller = request.auth
    case = case_or_404(number, viewer=caller.member)
    held = conversation_or_404(conversation_id, viewer=caller.member)
    actions.add_conversation(case, held, by=caller.user, now=timezone.now())
    return {"conversations": [_shape(one) for one in case.conversations.order_by("first_at", "pk")]}


@operation(router, "GET", "/conversations/{int:conversation_id}", scope="cases:read", response=ConversationWhole)
def get_conversation(request: CallerRequest, conversation_id: int) -> dict[str, Any]:
    """One conversation with its messages in their order."""
    held = conversation_or_404(conversation_id, viewer=request.auth.member)
    messages = held.messages.prefetch_related("wordings").order_by("at", "pk")
    cases = held.cases.order_by("number").values_list("number", flat=True)
    return {
        **_shape(held),
        "messages": [_message(one) for one in messages],
        "cases": [str(number) for number in cases],
    }


def _shape(held: Conversation) -> dict[str, Any]:
    return {
        "id": str(held.pk),
        "channel": held.channel,
        "title": held.title,
        "is_private": held.is_private,
        "first_at": held.first_at,
        "last_at": held.last_at,
    }


def _message(message: Message) -> dict[str, Any]:
    names = ("uid", "author_name", "author_handle", "title", "text", "url", "visibility", "language", "parent")
    return {
        **{name: getattr(message, name) for name in names},
        "direction": str(message.direction),
        "at": message.at,
        "edited_at": message.edited_at,
        "deleted_at": message.deleted_at,
        "wordings": [{"title": one.title, "text": one.text, "until": one.until} for one in message.wordings.all()],
    }
