"""Identities on channels, the persons behind them, organisations; on what basis they are kept, and until when."""

import uuid

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.states.history import Change
from talkworthy.workspaces.models import User, Workspace


class Organisation(models.Model):
    """A company, agency, outlet or club that persons belong to."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="organisations")
    name = models.CharField(_("name"), max_length=200)
    folded = models.CharField(max_length=200, default="", editable=False)
    """Its name as it is compared."""
    domain = models.CharField(_("domain"), max_length=200, blank=True)
    note = models.TextField(_("note"), blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]
        indexes = [models.Index(fields=["workspace", "folded"], name="organisations_by_name")]

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

    class Retention(models.TextChoices):
        """What happens on the day until which the record is kept."""

        ASK = "ask", _("Ask somebody")
        DELETE = "delete", _("Delete it")

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
    retention = models.CharField(_("when that day comes"), max_length=6, choices=Retention, default=Retention.ASK)
    asked_at = models.DateTimeField(null=True)
    """When somebody was told that the day has come; null again once it is moved."""
    merged_into = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, related_name="parts")
    """Set while it is a part of another person; its own rows stay as they were, so that it can be split off again."""
    root = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, related_name="members")
    """The person at the end of the chain of `merged_into`, kept beside it; null where nothing holds this one."""
    words = models.TextField(default="", editable=False)
    """What searches look through, folded, each word between blanks; that of its parts included."""
    note = models.TextField(_("note"), blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "name"], name="persons_by_name"),
            models.Index(fields=["retain_until"], name="persons_by_retention"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(merged_into=None, root=None)
                | models.Q(merged_into__isnull=False, root__isnull=False),
                name="a_part_has_a_root",
            ),
            models.CheckConstraint(
                condition=models.Q(merged_into=None) | ~models.Q(merged_into=models.F("pk")), name="no_part_of_itself"
            ),
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


class PersonChange(Change):
    """What happened to a person or an identity: never changed, and not moved by a merge either."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, null=True, related_name="changes")
    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, null=True, related_name="changes")

    class Meta(Change.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(person__isnull=False) | models.Q(identity__isnull=False),
                name="a_change_of_somebody",
            )
        ]


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


class CrmAccount(models.Model):
    """A CRM that persons are exchanged with."""

    class Kind(models.TextChoices):
        """Which CRM it is."""

        TRYTON = "tryton", "Tryton"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="crm_accounts")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.TRYTON)
    name = models.CharField(_("name"), max_length=80)
    url = models.URLField(_("address"), max_length=300)
    database = models.CharField(_("database"), max_length=80)
    user = models.CharField(_("user"), max_length=80)
    secrets = models.BinaryField(default=b"")
    query = models.TextField(_("who is sent there"), blank=True)
    """Only persons whom this query finds are created there; empty: nobody is, and known ones are kept in step."""
    basis = models.CharField(_("basis of contacts that come from there"), max_length=12, choices=Person.Basis)
    basis_note = models.TextField(_("what the basis rests on"))
    retention_days = models.PositiveIntegerField(_("kept for (days)"), default=730)
    every_hours = models.PositiveSmallIntegerField(_("every so many hours"), default=1)
    cursor = models.JSONField(default=dict)
    """How far we have read: the newest time of change that was seen there."""
    forgotten = models.JSONField(default=list)
    """Numbers there of whom was erased here: a change there does not bring them back."""
    due_at = models.DateTimeField(default=now)
    claimed_until = models.DateTimeField(null=True)
    synced_at = models.DateTimeField(null=True)
    outcome = models.JSONField(null=True)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_crm_of_a_name")]

    def __str__(self) -> str:
        return self.name


class CrmLink(models.Model):
    """A person here and a contact there, and what both said when they last agreed."""

    account = models.ForeignKey(CrmAccount, on_delete=models.CASCADE, related_name="links")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="crm_links")
    remote = models.CharField(max_length=80)
    base = models.JSONField(default=dict)
    """Field → value as it stood on both sides after the last exchange."""
    decided = models.JSONField(default=dict)
    """Field → value that a person chose and that is still to be written there."""
    synced_at = models.DateTimeField(default=now)
    gone_at = models.DateTimeField(null=True)
    """When it was found to be gone there; nothing here is deleted for that."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "remote"], name="one_link_a_contact"),
            models.UniqueConstraint(fields=["account", "person"], name="one_link_a_person"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} = {self.remote}"


class CrmConflict(models.Model):
    """A field that was changed on both sides since they last agreed; a person says which value holds."""

    link = models.ForeignKey(CrmLink, on_delete=models.CASCADE, related_name="conflicts")
    field = models.CharField(max_length=40)
    base = models.TextField(blank=True)
    ours = models.TextField(blank=True)
    theirs = models.TextField(blank=True)
    at = models.DateTimeField(default=now)
    chosen = models.CharField(max_length=6, blank=True)
    """ours or theirs, once decided."""
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["link", "field"], condition=models.Q(decided_at=None), name="one_open_conflict_a_field"
            )
        ]

    def __str__(self) -> str:
        return f"{self.link_id} {self.field}"
