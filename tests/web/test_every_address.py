"""Every address of a workspace, asked by who has no business there: another workspace's administrator, and a viewer.

Acme has one row of every table, all of the same number. What is added later is walked along without being named here.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import AbstractBaseUser
from django.core.signals import request_finished
from django.db import IntegrityError, close_old_connections, models, transaction
from django.urls import URLPattern, URLResolver, get_resolver

from talkworthy.routing.models import Conversation, ConversationLink
from talkworthy.workspaces.models import Member, User, Workspace

pytestmark = pytest.mark.django_db
NUMBER = 4711
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
WORKSPACE = "<slug:workspace>/"
TAKEN = re.compile(r"<(\w+):\w+>")
OTHERS = {"int": str(NUMBER), "str": "x", "slug": "x"}

FOR_EVERY_MEMBER = frozenset({"check_condition", "choices", "presence", "preview_monitor", "read", "see", "unread"})
"""What takes something from whoever may read: what they have seen and choose, and words to be looked at."""


def addresses(patterns: Any = None, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    """The patterns of a workspace's pages, each with the route that leads to it."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, route)
        elif route.startswith(WORKSPACE):
            yield route, pattern


def filled_in(route: str, workspace: str) -> str:
    return "/" + TAKEN.sub(lambda taken: OTHERS[taken[1]], route.replace(WORKSPACE, f"{workspace}/", 1))


@pytest.fixture
def everything(workspace: Workspace, alice: User) -> dict[str, dict[str, Any]]:
    """One row of every table, of Acme and of Alice, and what they hold."""
    made: dict[type[models.Model], models.Model] = {
        Workspace: workspace,
        User: alice,
        Member: Member.objects.get(user=alice),
    }
    for model in tables():
        _row_of(model, made)
    return contents()


def tables() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if model.__module__.startswith("talkworthy.")]


def contents() -> dict[str, dict[str, Any]]:
    rows = {model._meta.label: model._default_manager.filter(pk=NUMBER).values().first() for model in tables()}
    return {label: row for label, row in rows.items() if row is not None}


def _row_of(model: type[models.Model], made: dict[type[models.Model], models.Model]) -> models.Model:
    """The row of a table, made with what it asks for; where that is not enough, with one of its other keys besides."""
    if model in made:
        return made[model]
    fields = [field for field in model._meta.concrete_fields if isinstance(field, models.Field)]
    asked = {field.name: _value_of(field, made) for field in fields if _is_asked(field)}
    if model is ConversationLink:
        asked["other"] = Conversation.objects.create(workspace=made[Workspace], channel="x", first_at=NOW, last_at=NOW)
    others = [field for field in fields if isinstance(field, models.ForeignKey) and field.name not in asked]
    for other in (None, *others):
        more = {other.name: _value_of(other, made)} if other is not None else {}
        try:
            with transaction.atomic():
                made[model] = model._default_manager.create(pk=NUMBER, **asked, **more)
            return made[model]
        except IntegrityError:
            continue
    raise AssertionError(f"{model._meta.label} cannot be made of its fields alone: say how")


def _is_asked(field: models.Field) -> bool:
    if field.primary_key:
        return False
    return field.name in ("number", "version") or not (field.null or field.has_default())


def _value_of(field: models.Field, made: dict[type[models.Model], models.Model]) -> Any:
    if isinstance(field, models.ForeignKey):
        return _row_of(field.related_model, made)
    if field.choices:
        return next(value for value, _label in field.flatchoices if value)
    kinds: dict[type[models.Field], Any] = {
        models.DateTimeField: NOW,
        models.DateField: date(2026, 3, 4),
        models.BooleanField: True,
        models.IntegerField: NUMBER,
        models.FloatField: 0.5,
        models.JSONField: {},
        models.BinaryField: b"",
    }
    return next((value for kind, value in kinds.items() if isinstance(field, kind)), f"{field.name[:6]}")


def test_numbers_of_another_workspace_lead_nowhere(everything: Any, dan: AbstractBaseUser, client_of: Any) -> None:
    client, reached = client_of(dan), []
    for route, _pattern in addresses():
        if "<int:" in route:
            address = filled_in(route, "elsewhere")
            looked, pressed = client.get(address).status_code, client.post(address).status_code
            if looked not in (404, 405) or pressed not in (302, 404, 405):
                reached.append((route, looked, pressed))
    assert not reached
    assert contents() == everything


def test_a_viewer_changes_nothing_wherever_they_press(everything: Any, carol: Any, client_of: Any) -> None:
    client = client_of(carol)
    pressed = [(pattern.name, client.post(filled_in(route, "acme")).status_code) for route, pattern in addresses()]
    assert {name for name, status in pressed if status not in (403, 404, 405)} == FOR_EVERY_MEMBER
    assert contents() == everything


NUMBERED = ("after", "before", "case", "identity", "monitor", "number", "source", "team", "with")
"""What addresses ask by number."""


def test_a_number_that_is_none_breaks_no_page(workspace: Workspace, alice: Any, client_of: Any) -> None:
    client = client_of(alice)
    for route, _pattern in addresses():
        if not TAKEN.search(route.replace(WORKSPACE, "")):
            answer = client.get(filled_in(route, "acme"), dict.fromkeys(NUMBERED, "²"))
            assert answer.status_code < 500, route
            _close(answer)


def _close(answer: Any) -> None:
    """End the request, as the client does with what is no stream, but leave the test its connection."""
    request_finished.disconnect(close_old_connections)
    try:
        answer.close()
    finally:
        request_finished.connect(close_old_connections)
