"""Verbs on workspaces, members and tokens. Each writes in a transaction and leaves a row in the audit trail."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.dispatch import Signal
from django.utils.text import slugify
from django.utils.translation import gettext as _

from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import Member, Token, User, Workspace
from talkworthy.workspaces.permissions import SCOPES, Role

RESERVED = frozenset({"account", "api", "health", "new", "receive", "static", "workspaces"})
"""First parts of addresses that no workspace may take."""

WORDS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters of a one-time password: none that are taken for another."""


member_leaves = Signal()
"""Sent with `member` before somebody is removed, in the same transaction: rooms above hand over what they owned."""


class Refused(ValueError):
    """It was not done; the message says why and what can be done."""


@dataclass(frozen=True)
class Invited:
    """A new member, and the one-time password of a new account: shown once, kept nowhere."""

    member: Member
    password: str | None


@dataclass(frozen=True)
class Issued:
    """A new token and its secret: shown once, kept nowhere."""

    token: Token
    secret: str


def create_workspace(*, name: str, timezone: str = "UTC", by: User, now: datetime) -> Workspace:
    """Add an empty workspace; its first administrator is whoever makes it."""
    if not may_create_workspaces(by):
        raise Refused(_("Only an administrator of a workspace can make another one."))
    for _attempt in range(5):
        try:
            with transaction.atomic():
                workspace = Workspace.objects.create(name=name.strip(), slug=_free_slug(name), timezone=timezone)
                Member.objects.create(workspace=workspace, user=by, role=Role.ADMINISTRATOR.value)
                note_change(workspace, verb="create", thing=workspace, by=by, now=now, after={"name": workspace.name})
            return workspace
        except IntegrityError:  # the slug was taken in between
            continue
    raise Refused(_("No free address was found for this name. Choose another name."))


def may_create_workspaces(user: User) -> bool:
    """Whether the person is an administrator anywhere."""
    return user.is_superuser or Member.objects.filter(user=user, role=Role.ADMINISTRATOR.value).exists()


def change_workspace(workspace: Workspace, *, by: User, now: datetime, **changes: Any) -> Workspace:
    """Change name, time zone, retention or the private hosts that sources may reach."""
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=workspace.pk)
        before, after = apply_changes(workspace, changes)
        if after:
            workspace.save()
            note_change(workspace, verb="change", thing=workspace, by=by, now=now, before=before, after=after)
    return workspace


def add_member(workspace: Workspace, *, email: str, name: str, role: str, by: User, now: datetime) -> Invited:
    """Make somebody a member; who has no account yet gets one, with a one-time password to hand over."""
    role = _known_role(role)
    password = None
    with transaction.atomic():
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            password = one_time_password()
            user = User.objects.create_user(email, password, name=name.strip(), must_change_password=True)
            User.objects.filter(pk=user.pk).update(timezone=workspace.timezone)
        member, created = Member.objects.get_or_create(workspace=workspace, user=user, defaults={"role": role})
        if not created:
            raise Refused(_("%(who)s is a member already.") % {"who": user})
        note_change(
            workspace,
            verb="add",
            thing=member,
            by=by,
            now=now,
            after={"role": role, "new account": password is not None},
        )
    return Invited(member, password)


def change_role(member: Member, *, role: str, by: User, now: datetime) -> None:
    """Give a member another role; the last administrator stays one."""
    role = _known_role(role)
    with transaction.atomic():
        member = _held(member)
        if role != Role.ADMINISTRATOR:
            _keep_an_administrator(member)
        before, after = apply_changes(member, {"role": role})
        if after:
            member.save(update_fields=["role"])
            note_change(member.workspace, verb="change", thing=member, by=by, now=now, before=before, after=after)


def remove_member(member: Member, *, by: User, now: datetime) -> None:
    """Take somebody out of the workspace, with their tokens; the account itself stays."""
    with transaction.atomic():
        member = _held(member)
        _keep_an_administrator(member)
        note_change(member.workspace, verb="remove", thing=member, by=by, now=now, before={"role": member.role})
        member_leaves.send(Member, member=member)
        member.delete()


def give_one_time_password(member: Member, *, by: User, now: datetime) -> str:
    """A new one-time password for somebody who cannot sign in any more.

    Refused where the account reaches further than the person who asks: it would open other workspaces to them.
    """
    user = member.user
    administered = Member.objects.filter(user=by, role=Role.ADMINISTRATOR.value).values("workspace")
    if user.is_superuser or user.memberships.exclude(workspace__in=administered).exists():
        raise Refused(
            _("%(who)s is also in workspaces that you do not administer. They can reset their password by e-mail.")
            % {"who": user}
        )
    password = one_time_password()
    with transaction.atomic():
        user.set_password(password)
        user.must_change_password = True
        user.save(update_fields=["password", "must_change_password"])
        note_change(member.workspace, verb="reset password of", thing=member, by=by, now=now)
    return password


def create_token(
    member: Member, *, name: str, scopes: list[str], expires_at: datetime | None, by: User, now: datetime
) -> Issued:
    """Issue a key for programs. Only the SHA-256 of its secret is kept."""
    unknown = sorted(set(scopes) - SCOPES.keys())
    if unknown or not scopes:
        raise Refused(_("Choose at least one scope of: %(scopes)s.") % {"scopes": ", ".join(SCOPES)})
    if expires_at is not None and expires_at <= now:
        raise Refused(_("A token cannot have expired before it is made."))
    secret = f"tw_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        token = Token.objects.create(
            workspace=member.workspace,
            member=member,
            name=name.strip(),
            prefix=secret[:9],
            digest=digest_of(secret),
            scopes=sorted(scopes),
            expires_at=expires_at,
        )
        note_change(member.workspace, verb="create", thing=token, by=by, now=now, after={"scopes": token.scopes})
    return Issued(token, secret)


def revoke_token(token: Token, *, by: User, now: datetime) -> None:
    """Make a token useless, at once and for good."""
    with transaction.atomic():
        if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            note_change(token.workspace, verb="revoke", thing=token, by=by, now=now)


def digest_of(secret: str) -> str:
    """What is kept of a token: 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def one_time_password() -> str:
    """Four groups of four letters: easy to read out, about 79 bits."""
    return "-".join("".join(secrets.choice(WORDS) for _letter in range(4)) for _group in range(4))


def _held(member: Member) -> Member:
    """The member as they are now, with the workspace locked: two who go at once would each take the other for there."""
    Workspace.objects.select_for_update().get(pk=member.workspace_id)
    held = Member.objects.select_for_update().filter(pk=member.pk).first()
    if held is None:
        raise Refused(_("They are no longer a member."))
    return held


def _keep_an_administrator(member: Member) -> None:
    if member.role != Role.ADMINISTRATOR:
        return
    others = Member.objects.filter(workspace=member.workspace, role=Role.ADMINISTRATOR.value).exclude(pk=member.pk)
    if not others.exists():
        raise Refused(_("A workspace keeps at least one administrator. Make somebody else one first."))


def _known_role(role: str) -> str:
    if role not in set(Role):
        raise Refused(_("“%(role)s” is none of: %(roles)s.") % {"role": role, "roles": ", ".join(Role)})
    return role


def _free_slug(name: str) -> str:
    base = slugify(name)[:50] or "workspace"
    taken = {*Workspace.objects.filter(slug__startswith=base).values_list("slug", flat=True), *RESERVED}
    number = 1
    slug = base
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug
