"""Identities on channels, the persons behind them, organisations; on what basis they are kept, and until when."""

import uuid

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.workspaces.models import User, Workspace


class Organisation(models.Model):
    """A company, agency, outlet or club that persons belong to."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="organisations")
    name = models.CharField(_("name"), max_length=200)
    domain = models.CharField(_("domain"), max_length=200, blank=True)
    note = models.TextField(_("note"), blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Person(models.Model):
    """Somebody, behind one or more identities. Exists on a stated basis only, and until a stated day."""

    class Basis(models.TextChoices):
        """Why the record may exist (GDPR Article 6, paragraph 1)."""

        CONSENT = "consent", _("Consent (a)")
        CONTRACT = "contract", _("Contract (b)")
        OBLIGATION = "obligation", _("Legal obligation (c)")
        VITAL = "vital", _("Vital interests (d)")
        PUBLIC_TASK = "public_task", _("Public task (e)")
        INTEREST = "interest", _("Legitimate interest (f)")

    class Notice(models.TextChoices):
        """Whether they know that we keep data from elsewhere (GDPR Article 14)."""

        DUE = "due", _("Must be told")
        TOLD = "told", _("Was told")
        KNOWN = "known", _("Knows already")
        EXEMPT = "exempt", _("Need not be told")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="persons")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=200)
    organisation = models.ForeignKey(
        Organisation, on_delete=models.SET_NULL, null=True, blank=True, related_name="persons"
    )
    basis = models.CharField(_("basis"), max_length=12, choices=Basis)
    basis_note = models.TextField(_("what the basis rests on"))
    notice = models.CharField(_("notice"), max_length=8, choices=Notice, default=Notice.DUE)
    notice_due_at = models.DateTimeField(null=True)
    noticed_at = models.DateTimeField(null=True)
    retain_until = models.DateTimeField(_("kept until"))
    merged_into = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="parts")
    """Set while it is a part of another person; its own rows stay as they were, so that it can be split off again."""
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "name"], name="persons_by_name"),
            models.Index(fields=["retain_until"], name="persons_by_retention"),
        ]

    def __str__(self) -> str:
        return self.name


class Identity(models.Model):
    """One account on one channel. Made when somebody becomes work (a case, a person), never for a mere mention."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="identities")
    channel = models.CharField(max_length=40)
    account = models.CharField(max_length=400)
    """The channel's own id of the account: `author.id` of its posts."""
    handle = models.CharField(max_length=300, blank=True)
    name = models.CharField(max_length=300, blank=True)
    url = models.TextField(blank=True)
    bio = models.TextField(blank=True)
    followers = models.BigIntegerField(null=True)
    verified = models.BooleanField(null=True)
    is_ours = models.BooleanField(default=False)
    """An account that we answer from."""
    is_automated = models.BooleanField(default=False)
    person = models.ForeignKey(Person, on_delete=models.SET_NULL, null=True, blank=True, related_name="identities")
    first_seen_at = models.DateTimeField(default=now)
    last_seen_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "channel", "account"], name="one_identity_an_account")
        ]
        indexes = [models.Index(fields=["workspace", "handle"], name="identities_by_handle")]

    def __str__(self) -> str:
        return self.name or self.handle or self.account


class Attribute(models.Model):
    """One thing that is known of a person, with where it came from and when: never overwritten by another source."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="attributes")
    name = models.CharField(max_length=40)
    """email, phone, given_name, family_name, birthday, address, postcode, city, country, language, or one's own."""
    value = models.TextField()
    source = models.CharField(max_length=120)
    """Where it came from: an identity, an import, a member, the CRM."""
    at = models.DateTimeField(default=now)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["name", "-at"]
        constraints = [
            models.UniqueConstraint(fields=["person", "name", "value", "source"], name="one_row_a_known_thing")
        ]
        indexes = [models.Index(fields=["name", "value"], name="attributes_by_value")]

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


class PersonRole(models.Model):
    """What a person is to us, since when, and who says so."""

    class Role(models.TextChoices):
        """The roles."""

        PROSPECT = "prospect", _("Prospect")
        CUSTOMER = "customer", _("Customer")
        PARTNER = "partner", _("Partner")
        EMPLOYEE = "employee", _("Employee")
        PRESS = "press", _("Press")
        INFLUENCER = "influencer", _("Influencer")
        RIVAL = "rival", _("Rival")

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(max_length=12, choices=Role)
    source = models.CharField(max_length=120)
    since = models.DateTimeField(default=now)
    until = models.DateTimeField(null=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-since"]

    def __str__(self) -> str:
        return self.role


class Consent(models.Model):
    """What a person agreed to or withdrew, for which purpose, when, and the proof of it."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=80)
    given = models.BooleanField()
    proof = models.TextField()
    at = models.DateTimeField(default=now)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.purpose}: {self.given}"


class LinkSuggestion(models.Model):
    """Two persons or identities that may be one, with the evidence and the probability."""

    class State(models.TextChoices):
        """What a person said of it."""

        OPEN = "open", _("Open")
        CONFIRMED = "confirmed", _("Confirmed")
        DENIED = "denied", _("Denied")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="link_suggestions")
    left = models.CharField(max_length=60)
    right = models.CharField(max_length=60)
    """`person:7` or `identity:9`; the smaller one is left."""
    probability = models.FloatField()
    evidence = models.JSONField(default=list)
    """What agreed and what did not: field, both values, how it was compared, its weight in bits."""
    model = models.CharField(max_length=80)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=now)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-probability", "id"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "left", "right"], name="one_suggestion_a_pair"),
            models.CheckConstraint(
                condition=models.Q(probability__gte=0) & models.Q(probability__lte=1), name="probability_of_a_link"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.left} = {self.right}"


class NeverMerge(models.Model):
    """Two that are not one, whatever they have in common."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="never_merge")
    left = models.CharField(max_length=60)
    right = models.CharField(max_length=60)
    why = models.TextField(blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "left", "right"], name="one_row_a_pair_apart")]

    def __str__(self) -> str:
        return f"{self.left} ≠ {self.right}"


class Segment(models.Model):
    """A saved query over people."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="segments")
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(max_length=60)
    query = models.TextField(_("query"))
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "slug"], condition=models.Q(deleted_at=None), name="one_segment_of_a_slug"
            )
        ]

    def __str__(self) -> str:
        return self.name
