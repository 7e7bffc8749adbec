"""What members are told, in the page and by mail, and what programs are told by signed webhooks."""

import uuid

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.workspaces.models import Member, Workspace


class Notification(models.Model):
    """One thing that one member should know, with the address where it is."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="notifications")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=40)
    """What happened: assigned, mentioned, due, missed, approval asked, sent, failed …"""
    text = models.TextField()
    """A sentence; it holds ids and names of cases, never what outsiders wrote."""
    address = models.TextField(blank=True)
    key = models.CharField(max_length=120)
    """What it speaks of: the same key is told once a member."""
    at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    in_page = models.BooleanField(default=True)
    by_mail = models.BooleanField(default=False)
    """What the member had chosen when it happened."""

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["member", "key"], name="told_once")]
        indexes = [
            models.Index(fields=["member", "seen_at"], name="unseen_notifications"),
            models.Index(fields=["at"], condition=models.Q(by_mail=True, mailed_at=None), name="notifications_to_mail"),
        ]

    def __str__(self) -> str:
        return self.kind


class NotificationChoice(models.Model):
    """How a member wants to be told of a kind of thing; without a row: in the page only."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="notification_choices")
    kind = models.CharField(max_length=40)
    in_page = models.BooleanField(_("in the page"), default=True)
    by_mail = models.BooleanField(_("by e-mail"), default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "kind"], name="one_choice_a_kind")]

    def __str__(self) -> str:
        return f"{self.member_id} {self.kind}"


class Endpoint(models.Model):
    """An address of a program that is told of events, signed as Standard Webhooks says."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="endpoints")
    name = models.CharField(_("name"), max_length=80)
    url = models.URLField(_("address"), max_length=500)
    secret = models.BinaryField(default=bytes)
    """The signing secret, encrypted with the key that stands outside the database."""
    old_secret = models.BinaryField(default=bytes)
    """The one before; it signs beside the new one until `old_secret_until`."""
    old_secret_until = models.DateTimeField(null=True)
    events = models.JSONField(_("events"), default=list)
    """Names of events such as case.opened; empty: all."""
    enabled = models.BooleanField(_("on"), default=True)
    created_at = models.DateTimeField(default=now)
    failing_since = models.DateTimeField(null=True)
    """Since when every call fails; null after one that was taken."""

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """Something that programs are told; written in the transaction in which it happened."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="events")
    type = models.CharField(max_length=60)
    data = models.JSONField()
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return self.type


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint: tried with growing pauses, shown, and sent again by hand."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Given up")

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(default=now)
    claimed_until = models.DateTimeField(null=True)
    status = models.PositiveIntegerField(null=True)
    answer = models.TextField(blank=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["endpoint", "event"], name="one_delivery_an_endpoint")]
        indexes = [models.Index(fields=["due_at"], condition=models.Q(state="waiting"), name="due_webhook_deliveries")]

    def __str__(self) -> str:
        return f"{self.event_id} → {self.endpoint_id}"
