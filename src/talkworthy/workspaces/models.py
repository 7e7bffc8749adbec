"""Workspaces, the people who work in them, tokens, and the trail of what was changed."""

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.workspaces.permissions import Role


class Users(BaseUserManager["User"]):
    """Users are found by e-mail address, whatever its case."""

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user of an address."""
        return self.get(email__iexact=username or "")

    def create_user(
        self, email: str, password: str | None = None, *, name: str = "", must_change_password: bool = False
    ) -> "User":
        """Add a user; without a password they can only sign in through a provider or a reset."""
        user = self.model(
            email=self.normalize_email(email).lower(), name=name, must_change_password=must_change_password
        )
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(_("may sign in"), default=True)
    must_change_password = models.BooleanField(default=False)
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC")
    theme = models.CharField(
        _("theme"),
        max_length=8,
        default="auto",
        choices=[("auto", _("As the system")), ("light", _("Light")), ("dark", _("Dark"))],
    )
    created_at = models.DateTimeField(default=now, editable=False)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = Users()

    def __str__(self) -> str:
        return self.name or self.email


class Workspace(models.Model):
    """One organisation's listening, kept apart from every other."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC")
    is_sample = models.BooleanField(default=False)
    retention_days = models.PositiveIntegerField(_("keep posts for (days)"), null=True, blank=True)
    allow_hosts = models.JSONField(_("hosts on private addresses that sources may reach"), default=list, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    members: "models.Manager[Member]"

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(retention_days__isnull=True) | models.Q(retention_days__gte=1),
                name="retention_at_least_a_day",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Member(models.Model):
    """A user in a workspace, with a role."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(
        _("role"), max_length=20, choices=[(role.value, role.value) for role in Role], default=Role.VIEWER.value
    )
    last_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="one_membership")]

    def __str__(self) -> str:
        return str(self.user)


class Token(models.Model):
    """A key for programs; only its hash is kept."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="tokens")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class SentForm(models.Model):
    """A form that made something: who sends it again is led to what it made."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=32)
    """New with every page that shows the form."""
    filled_in = models.CharField(max_length=64)
    """A print of where it was sent and what was filled in."""
    address = models.TextField(blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "key", "filled_in"], name="one_form_of_a_key")]

    def __str__(self) -> str:
        return self.key


class AuditEntry(models.Model):
    """Who changed what, from what to what, and why. Rows are added, never changed."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="audit")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now, db_index=True)
    verb = models.CharField(max_length=40)
    noun = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    label = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    why = models.TextField(blank=True)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.verb} {self.noun} {self.key}"

    def save(self, *args: object, **kwargs: object) -> None:
        """Add the row; an existing one cannot be changed."""
        if not self._state.adding:
            raise TypeError("an audit entry cannot be changed")
        super().save()

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        """Refused: the trail stays."""
        raise TypeError("an audit entry cannot be deleted")


class Team(models.Model):
    """Members who take care of something together."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="teams")
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(max_length=60)
    """Its name in queries: team:slug."""
    about = models.TextField(_("what it takes care of"), blank=True)
    colour = models.CharField(_("colour"), max_length=16, default="slate")
    members = models.ManyToManyField(Member, through="TeamMember", related_name="teams")
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "slug"], condition=models.Q(deleted_at=None), name="one_team_of_a_slug"
            )
        ]

    def __str__(self) -> str:
        return self.name


class TeamMember(models.Model):
    """A member in a team."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="team_memberships")
    is_lead = models.BooleanField(_("leads it"), default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "member"], name="once_in_a_team")]

    def __str__(self) -> str:
        return f"{self.member_id} in {self.team_id}"
