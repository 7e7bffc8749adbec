"""Programs that call, each with a token of its own."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from talkworthy.workspaces.actions import create_token
from talkworthy.workspaces.models import Member, User, Workspace
from talkworthy.workspaces.permissions import SCOPES


class Program:
    """A program that calls with a token."""

    def __init__(self, secret: str = "", **headers: str) -> None:
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        self.headers = {**({"Authorization": f"Bearer {secret}"} if secret else {}), **headers}

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """The answer to a call below /api."""
        sent = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(self.client, method.lower())(f"/api{path}", headers=self.headers, **sent)


@pytest.fixture
def program_of(workspace: Workspace) -> Callable[..., Program]:
    """A program with a token of somebody; with every scope unless some are named."""

    def made(user: User, *scopes: str) -> Program:
        member = Member.objects.get(workspace=workspace, user=user)
        chosen = list(scopes or SCOPES)
        issued = create_token(member, name="test", scopes=chosen, expires_at=None, by=user, now=timezone.now())
        return Program(issued.secret)

    return made


@pytest.fixture
def stranger(dan: User) -> Program:
    """A program with every scope in another workspace."""
    member = Member.objects.get(user=dan)
    issued = create_token(member, name="dan", scopes=list(SCOPES), expires_at=None, by=dan, now=timezone.now())
    return Program(issued.secret)


@pytest.fixture
def nobody(db: None) -> Program:
    """A program without a token."""
    return Program()
