"""Who calls: a token, the member who made it, and what both of them may do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from talkworthy.api.problems import Problem, not_signed_in
from talkworthy.workspaces.actions import digest_of
from talkworthy.workspaces.models import Member, Token, User, Workspace
from talkworthy.workspaces.permissions import SCOPES, may

USED_EVERY = timedelta(minutes=1)
"""How often the last use of a token is written down."""


@dataclass(frozen=True)
class Caller:
    """The token of a call and its member."""

    token: Token
    member: Member

    @property
    def user(self) -> User:
        """Who acts."""
        return self.member.user

    @property
    def workspace(self) -> Workspace:
        """Where."""
        return self.member.workspace

    def lacks(self, scope: str) -> Problem | None:
        """Why the scope is not theirs; None where it is."""
        if scope not in self.token.scopes:
            return _missing_scope(scope)
        if not all(may(self.member.role, permission) for permission in SCOPES[scope]):
            return _missing_role(scope, self.member.role)
        return None


class CallerRequest(HttpRequest):
    """A request whose token was found good."""

    auth: Caller


class Bearer(HttpBearer):
    """Lets through calls with a good token that has the scope; without a scope every good token."""

    def __init__(self, scope: str | None) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        """The caller; raises Problem with 401 or 403."""
        caller = caller_of(token.strip(), now=timezone.now())
        lacking = caller.lacks(self.scope) if self.scope else None
        if lacking is not None:
            raise lacking
        return caller


def caller_of(secret: str, *, now: datetime) -> Caller:
    """The caller that holds a secret; raises Problem where it is unknown, revoked, expired, or its member is gone."""
    found = Token.objects.select_related("member__user", "member__workspace").filter(digest=digest_of(secret)).first()
    if found is None or found.revoked_at is not None or not found.member.user.is_active:
        raise not_signed_in(_("This token is not known (any more). Make a new one in the settings under Tokens."))
    if found.expires_at is not None and found.expires_at <= now:
        raise not_signed_in(_("This token has expired. Make a new one in the settings under Tokens."))
    _note_use(found, now)
    return Caller(found, found.member)


def _note_use(token: Token, now: datetime) -> None:
    if token.last_used_at is None or now - token.last_used_at >= USED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
        Token.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _missing_scope(scope: str) -> Problem:
    words = _("This token lacks the scope “%(scope)s”. Make one that has it, in the settings under Tokens.")
    challenge = {"WWW-Authenticate": f'Bearer realm="talkworthy", error="insufficient_scope", scope="{scope}"'}
    return Problem("missing-scope", words % {"scope": scope}, headers=challenge, scope=scope)


def _missing_role(scope: str, role: str) -> Problem:
    words = _("The scope “%(scope)s” needs more than the role “%(role)s” of the token's owner allows.")
    return Problem("not-allowed", words % {"scope": scope, "role": role}, scope=scope)
