"""Drafts and who approved them, replies on their way, snippets, how far a machine may go, and who is here."""

import uuid

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.listening.models import Source
from talkworthy.people.models import Identity
from talkworthy.routing.models import Case, Conversation
from talkworthy.states.history import Change
from talkworthy.workspaces.models import Member, Team, User, Workspace


class Draft(models.Model):
    """What may be said: written by a person or a machine, approved by who must, sent once, or superseded."""

    class State(models.TextChoices):
        """How far it is; the ways between stand in `responding/states.py`."""

        WRITING = "writing", _("Being written")
        ASKED = "asked", _("Waits for approval")
        REFUSED = "refused", _("Not approved")
        APPROVED = "approved", _("Approved")
        SCHEDULED = "scheduled", _("Scheduled")
        SENT = "sent", _("Sent")
        SUPERSEDED = "superseded", _("Superseded")
        DROPPED = "dropped", _("Dropped")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="drafts")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="drafts")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="drafts")
    in_reply_to = models.TextField()
    """uid of the message that it answers."""
    source = models.ForeignKey(Source, on_delete=models.SET_NULL, null=True, related_name="drafts")
    """The source whose account sends it."""
    subject = models.TextField(_("subject"), blank=True)
    text = models.TextField(_("text"), blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True)
    visibility = models.CharField(_("who sees it"), max_length=10, default="public")
    """public, unlisted, members or private."""
    state = models.CharField(max_length=10, choices=State, default=State.WRITING)
    version = models.PositiveIntegerField(default=1)
    """Counts every save: a second save that does not know the newest is refused."""
    by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="drafts")
    made_by = models.CharField(max_length=80, blank=True)
    """Empty: a person alone; else the machine that wrote it, with its version."""
    evidence = models.JSONField(default=dict)
    """What it rests on: earlier answers, snippet, model, triage leaf."""
    send_at = models.DateTimeField(_("send at"), null=True, blank=True)
    known_until = models.DateTimeField(default=now)
    """Up to when whoever saved it last, or pressed send, had seen the conversation: a later answer stops it."""
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-changed_at"]
        indexes = [models.Index(fields=["workspace", "state"], name="drafts_by_state")]

    def __str__(self) -> str:
        return f"draft {self.pk}"


class DraftVersion(models.Model):
    """A draft as it stood after one save; never changed."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    subject = models.TextField(blank=True)
    text = models.TextField(blank=True)
    visibility = models.CharField(max_length=10)
    by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="+")
    made_by = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["draft", "version"], name="one_row_a_draft_version")]

    def __str__(self) -> str:
        return f"{self.draft_id} v{self.version}"


class DraftChange(Change):
    """The history of a draft."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="changes")


class Attachment(models.Model):
    """A file that goes with a draft."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="attachments")
    file = models.FileField(upload_to="attachments/")
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    alt = models.TextField(_("description for people who do not see it"), blank=True)

    def __str__(self) -> str:
        return self.name


class ApprovalRule(models.Model):
    """Which drafts must be approved, by how many, and of which team."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="approval_rules")
    name = models.CharField(_("name"), max_length=120)
    condition = models.JSONField(_("condition"), default=dict)
    """Which drafts: {"visibility": […], "priority": […], "channel": […], "outcome": […], "machine": true}; an empty
    one holds of every draft."""
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="approval_rules")
    count = models.PositiveSmallIntegerField(_("approvals needed"), default=1)
    by_another = models.BooleanField(_("by somebody else than the writer"), default=True)
    enabled = models.BooleanField(_("on"), default=True)

    def __str__(self) -> str:
        return self.name


class Approval(models.Model):
    """What somebody said of one version of a draft."""

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="approvals")
    draft_version = models.PositiveIntegerField()
    by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="approvals")
    approved = models.BooleanField()
    why = models.TextField(blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["draft", "draft_version", "by"], name="one_word_a_version")]

    def __str__(self) -> str:
        return f"{self.draft_id} v{self.draft_version}: {self.approved}"


class Delivery(models.Model):
    """One draft on its way to the channel: exactly one post a reply, whatever crashes in between."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", _("Waiting")
        SENDING = "sending", _("Being sent")
        UNSURE = "unsure", _("Not known whether it arrived")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Failed")
        STOPPED = "stopped", _("Stopped")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="deliveries")
    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="deliveries")
    draft_version = models.PositiveIntegerField()
    """What was approved and scheduled; another version never goes out under this row."""
    by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    """Who sent it; null with `automatic`: a machine did."""
    automatic = models.BooleanField(default=False)
    """No person pressed send: autonomy, never-send rules and caps hold."""
    identity = models.ForeignKey(Identity, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    """Whom it answers, for the cap a person."""
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    """What the channel, or our own search in it, knows this reply by."""
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    due_at = models.DateTimeField(default=now)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    began_at = models.DateTimeField(null=True)
    """When the channel was first called; set, and committed, before the call."""
    tried_at = models.DateTimeField(null=True)
    """When it was last called."""
    looked = models.PositiveIntegerField(default=0)
    """How often the channel was searched for it in vain since the last call."""
    delivered_at = models.DateTimeField(null=True)
    remote_uid = models.TextField(blank=True)
    remote_url = models.TextField(blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["draft"],
                condition=models.Q(state__in=["waiting", "sending", "unsure", "delivered"]),
                name="one_living_delivery_a_draft",
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(state__in=["waiting", "sending", "unsure"]),
                name="due_deliveries",
            ),
            models.Index(fields=["workspace", "automatic", "began_at"], name="deliveries_by_time"),
        ]

    def __str__(self) -> str:
        return f"delivery of {self.draft_id}"


class Sender(models.Model):
    """A source's account that may answer: an administrator turned it on."""

    source = models.OneToOneField(Source, on_delete=models.CASCADE, related_name="sender")
    enabled = models.BooleanField(_("answers from this account"), default=False)
    limits = models.JSONField(default=dict)
    """What the channel told of its limits when it was asked last, over what the connector declares."""
    asked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"sender {self.source_id}"


class Snippet(models.Model):
    """Words that are often needed, with variables, in one or more languages."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="snippets")
    name = models.CharField(_("name"), max_length=80)
    shortcut = models.SlugField(_("shortcut"), max_length=40)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="snippets")
    uses = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "shortcut"], condition=models.Q(deleted_at=None), name="one_snippet_of_a_shortcut"
            )
        ]

    def __str__(self) -> str:
        return self.name


class SnippetText(models.Model):
    """A snippet in one language."""

    snippet = models.ForeignKey(Snippet, on_delete=models.CASCADE, related_name="texts")
    language = models.CharField(max_length=12)
    text = models.TextField(_("text"))
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["snippet", "language"], name="one_text_a_language")]

    def __str__(self) -> str:
        return f"{self.snippet_id} {self.language}"


class Autonomy(models.Model):
    """How far a machine may go with a class of outcome, and how often."""

    class Level(models.TextChoices):
        """From looking on to sending."""

        OBSERVE = "observe", _("Observe")
        SUGGEST = "suggest", _("Suggest")
        DRAFT = "draft", _("Draft")
        SEND = "send", _("Send after a delay")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="autonomy")
    outcome = models.CharField(max_length=30)
    """A leaf of the playbook."""
    level = models.CharField(max_length=8, choices=Level, default=Level.SUGGEST)
    delay_seconds = models.PositiveIntegerField(default=600)
    cap_person_a_day = models.PositiveIntegerField(default=1)
    cap_conversation = models.PositiveIntegerField(default=1)
    cap_hour = models.PositiveIntegerField(default=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "outcome"], name="one_autonomy_an_outcome")]

    def __str__(self) -> str:
        return f"{self.outcome}: {self.level}"


class Turn(models.Model):
    """A machine's turn at a case: taken once, tried again with pauses, with what came of it."""

    case = models.OneToOneField(Case, on_delete=models.CASCADE, related_name="machine_turn")
    due_at = models.DateTimeField(default=now)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True)
    """Why nothing was drafted, where nothing was."""

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=models.Q(done_at=None), name="due_turns")]

    def __str__(self) -> str:
        return f"turn at {self.case_id}"


class Stop(models.Model):
    """The switch that stops everything that is scheduled; lifted by a person, kept as a row."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="stops")
    why = models.TextField(_("why"))
    machines_only = models.BooleanField(_("only what machines send"), default=False)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    lifted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at"]

    def __str__(self) -> str:
        return self.why


class Drafter(models.Model):
    """An OpenAI-compatible endpoint that an administrator configured to write drafts."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="drafter")
    url = models.URLField(_("address"), max_length=500)
    model = models.CharField(_("model"), max_length=120)
    secret = models.BinaryField(default=bytes, blank=True)
    instructions = models.TextField(_("instructions"), blank=True)
    enabled = models.BooleanField(_("on"), default=False)

    def __str__(self) -> str:
        return self.model


class Manner(models.Model):
    """How a workspace speaks: its disclosure line, its tone, what it never asks for in public."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="manner")
    disclosure = models.TextField(_("disclosure line"), blank=True)
    """Added to every public reply where it is not empty, such as “{name}, Acme”."""
    machine_disclosure = models.TextField(_("disclosure of machine drafts"), blank=True)
    guidance = models.TextField(_("how we speak"), blank=True)
    send_delay_seconds = models.PositiveIntegerField(_("seconds in which a reply can be recalled"), default=10)

    def __str__(self) -> str:
        return f"manner of {self.workspace_id}"


class Presence(models.Model):
    """Who is looking at a case, or writing; a row grows stale by itself."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="presences")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="presences")
    is_writing = models.BooleanField(default=False)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "member"], name="one_presence_a_member")]

    def __str__(self) -> str:
        return f"{self.member_id} at {self.case_id}"


class CaseSeen(models.Model):
    """Up to which of their words a member has seen a case; no row, or an older word, and it is unread to them."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="seen_by")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="cases_seen")
    up_to = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "case"], name="seen_once_a_member")]

    def __str__(self) -> str:
        return f"{self.case_id} by {self.member_id}"
