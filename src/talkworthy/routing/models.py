"""Conversations as they were had, the cases that are work on them, and what decides who does it and by when."""

from datetime import UTC, datetime

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.ecosystem.models import Touchpoint
from talkworthy.listening.models import Job
from talkworthy.people.models import Identity
from talkworthy.states.history import Change
from talkworthy.workspaces.models import Member, Team, User, Workspace

NEVER = datetime(9999, 12, 31, tzinfo=UTC)
DUE_OR_NEVER = models.Func(
    models.F("due_at"), template="COALESCE(%(expressions)s, '9999-12-31 00:00:00')", output_field=models.DateTimeField()
)
"""When a case is due, for sorting: what is never due comes last. Written out, so that the index of the queue serves."""


class Conversation(models.Model):
    """Posts to and fro, tied by replies, references or the channel's thread. Content is never merged into another."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="conversations")
    channel = models.CharField(max_length=40)
    root = models.TextField()
    """uid of its first message as far as known; moves up when an earlier one arrives."""
    title = models.TextField(blank=True)
    is_private = models.BooleanField(default=False)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    last_inward_at = models.DateTimeField(null=True)
    last_outward_at = models.DateTimeField(null=True)
    joined_into = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="joined")
    """Set where a late message showed that two were one all along; the rows of both stay."""
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["-last_at"]
        indexes = [
            models.Index(fields=["workspace", "root"], name="conversations_by_root"),
            models.Index(fields=["workspace", "-last_at"], name="conversations_by_time"),
        ]

    def __str__(self) -> str:
        return self.title or self.root


class Message(models.Model):
    """One post of a conversation, as the desk shows it: a copy, kept in step with the archive."""

    class Direction(models.TextChoices):
        """Who speaks to whom."""

        INWARD = "inward", _("To us")
        OUTWARD = "outward", _("From us")
        AMONG = "among", _("Among others")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="messages")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    uid = models.TextField()
    post_id = models.BigIntegerField(null=True)
    """Number in the archive; null while our own reply has not come back through listening."""
    parent = models.TextField(blank=True)
    """uid that it answers, known here or not."""
    references = models.JSONField(default=list)
    direction = models.CharField(max_length=8, choices=Direction, default=Direction.INWARD)
    identity = models.ForeignKey(Identity, on_delete=models.SET_NULL, null=True, related_name="messages")
    author_name = models.CharField(max_length=300, blank=True)
    author_handle = models.CharField(max_length=300, blank=True)
    title = models.TextField(blank=True)
    text = models.TextField(blank=True)
    url = models.TextField(blank=True)
    visibility = models.CharField(max_length=10, default="public")
    language = models.CharField(max_length=12, blank=True)
    sentiment = models.CharField(max_length=10, blank=True)
    intent = models.CharField(max_length=12, blank=True)
    urgency = models.SmallIntegerField(null=True)
    media = models.JSONField(default=list)
    source = models.CharField(max_length=80, blank=True)
    """The source that brought it, as in the archive: source-7."""
    monitors = models.JSONField(default=list)
    at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    """Deleted by its author or channel: the text is emptied, the place in the conversation stays."""

    class Meta:
        ordering = ["at", "id"]
        constraints = [models.UniqueConstraint(fields=["workspace", "uid"], name="one_message_a_post")]
        indexes = [
            models.Index(fields=["workspace", "parent"], name="messages_by_parent"),
            models.Index(fields=["conversation", "at"], name="messages_in_order"),
        ]

    def __str__(self) -> str:
        return self.uid


class Wording(models.Model):
    """A message as it read before its author edited it; goes with the message, and when its author deletes it."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="wordings")
    title = models.TextField(blank=True)
    text = models.TextField(blank=True)
    until = models.DateTimeField()
    """When it was edited, as far as the channel says; else when we heard of it."""

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.message_id} until {self.until}"


class ConversationLink(models.Model):
    """A typed, undoable tie between two conversations."""

    class Kind(models.TextChoices):
        """What the one is to the other."""

        SAME_MATTER = "same_matter", _("Same matter")
        REPEATS = "repeats", _("Repeats")
        ANSWERS = "answers", _("Answers")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="conversation_links")
    one = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="links")
    other = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="linked_from")
    kind = models.CharField(max_length=12, choices=Kind)
    why = models.TextField(blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["one", "other", "kind"], condition=models.Q(undone_at=None), name="one_link_of_a_kind"
            ),
            models.CheckConstraint(condition=~models.Q(one=models.F("other")), name="no_link_to_itself"),
        ]

    def __str__(self) -> str:
        return f"{self.one_id} {self.kind} {self.other_id}"


class Arrival(models.Model):
    """A mention that waits to be looked at by rules and triage: written with the counts of its batch, done once."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="arrivals")
    uid = models.TextField()
    post_id = models.BigIntegerField()
    reason = models.CharField(max_length=8, default="new")
    """new, edited or gone; sent is an answer of ours, whose own answers may have been collected before it was kept."""
    at = models.DateTimeField(default=now)
    due_at = models.DateTimeField(default=now)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "uid", "reason"], name="one_arrival_a_reason")]
        indexes = [models.Index(fields=["due_at"], name="due_arrivals")]

    def __str__(self) -> str:
        return self.uid


class WorkingHours(models.Model):
    """When a team works: shifts a weekday, holidays, a time zone."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="working_hours")
    name = models.CharField(_("name"), max_length=80)
    timezone = models.CharField(_("time zone"), max_length=64, default="UTC")
    shifts = models.JSONField(_("shifts"), default=dict)
    """Weekday 0 (Monday) to 6 → list of [from, to] in minutes of the local day; to may be 1440."""
    country = models.CharField(_("holidays of"), max_length=12, blank=True)
    """ISO code of country, or country-subdivision as DE-BY, of the public holidays; empty: none."""
    days_off = models.JSONField(_("further days off"), default=list)
    """ISO dates."""
    is_default = models.BooleanField(_("of every team without its own"), default=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=models.Q(is_default=True), name="one_default_of_working_hours"
            )
        ]

    def __str__(self) -> str:
        return self.name


class TeamHours(models.Model):
    """The working hours that a team keeps."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, related_name="hours")
    hours = models.ForeignKey(WorkingHours, on_delete=models.CASCADE, related_name="teams")

    def __str__(self) -> str:
        return f"{self.team_id}: {self.hours_id}"


class Target(models.Model):
    """How soon, in minutes of working time, a case of a class must be answered first, answered again, and settled."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="targets")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="targets")
    """Null: of every team without its own."""
    priority = models.CharField(max_length=10)
    first_answer = models.PositiveIntegerField(_("first answer"), null=True, blank=True)
    next_answer = models.PositiveIntegerField(_("next answer"), null=True, blank=True)
    resolution = models.PositiveIntegerField(_("resolution"), null=True, blank=True)
    silent_assignee = models.PositiveIntegerField(_("given to another after"), null=True, blank=True)
    around_the_clock = models.BooleanField(_("counts around the clock"), default=False)
    deleted_at = models.DateTimeField(null=True)
    """A target that was taken away keeps its steps, to be brought back with them."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "priority"],
                condition=models.Q(deleted_at=None),
                name="one_target_a_class_of_a_team",
            ),
            models.UniqueConstraint(
                fields=["workspace", "priority"],
                condition=models.Q(team=None, deleted_at=None),
                name="one_target_a_class",
            ),
        ]

    def __str__(self) -> str:
        return self.priority


class Availability(models.Model):
    """What a member takes on: how much at once, in which languages, with which skills; and whether they are there."""

    class State(models.TextChoices):
        """Whether they are there."""

        HERE = "here", _("Here")
        BUSY = "busy", _("No new cases")
        AWAY = "away", _("Away")

    member = models.OneToOneField(Member, on_delete=models.CASCADE, related_name="availability")
    state = models.CharField(max_length=5, choices=State, default=State.HERE)
    away_until = models.DateTimeField(null=True, blank=True)
    capacity = models.PositiveIntegerField(_("open cases at once"), default=20)
    skills = models.JSONField(_("skills"), default=list)
    languages = models.JSONField(_("languages"), default=list)
    last_assigned_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.member_id}: {self.state}"


class Case(models.Model):
    """One piece of work on one or several conversations."""

    class State(models.TextChoices):
        """Where the work stands; the ways between stand in `routing/states.py`."""

        NEW = "new", _("New")
        OPEN = "open", _("Open")
        WAITING = "waiting", _("Waiting for them")
        SNOOZED = "snoozed", _("Snoozed")
        RESOLVED = "resolved", _("Resolved")
        CLOSED = "closed", _("Closed")

    class Priority(models.TextChoices):
        """The classes, in their order."""

        RISK = "risk", _("Risk")
        PURCHASE = "purchase", _("Purchase")
        CANCEL = "cancel", _("Cancel")
        SERVICE = "service", _("Service")
        LOW = "low", _("Low")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="cases")
    number = models.PositiveIntegerField()
    """Counts up in the workspace: what people call it."""
    title = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.NEW)
    priority = models.CharField(max_length=10, choices=Priority, default=Priority.SERVICE)
    urgency = models.SmallIntegerField(default=0)
    influence = models.FloatField(default=0.0)
    rank = models.FloatField(default=0.0)
    """Order in the queue, the highest first: class, then urgency, then influence; ties go to the earlier deadline."""
    reason = models.JSONField(default=dict)
    """Why it was opened, and why with this class: rules, triage path, words."""
    channel = models.CharField(max_length=40, blank=True)
    language = models.CharField(max_length=12, blank=True)
    requester = models.ForeignKey(Identity, on_delete=models.SET_NULL, null=True, related_name="cases")
    touchpoint = models.ForeignKey(Touchpoint, on_delete=models.SET_NULL, null=True, related_name="cases")
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="cases")
    owner = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="cases")
    owned_since = models.DateTimeField(null=True)
    conversations = models.ManyToManyField(Conversation, through="CaseConversation", related_name="cases")
    outcome = models.CharField(max_length=30, blank=True)
    """A leaf of the playbook, or a person's word."""
    outcome_note = models.TextField(blank=True)
    opened_at = models.DateTimeField(default=now)
    last_inward_at = models.DateTimeField(null=True)
    first_answered_at = models.DateTimeField(null=True)
    last_answered_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    snoozed_until = models.DateTimeField(null=True)
    first_answer_due_at = models.DateTimeField(null=True)
    next_answer_due_at = models.DateTimeField(null=True)
    resolution_due_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    """The earliest of what is still due."""
    version = models.PositiveIntegerField(default=1)
    """Counts every change: a second save that does not know the newest is refused."""
    changed_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-rank", "due_at", "number"]
        constraints = [models.UniqueConstraint(fields=["workspace", "number"], name="one_case_of_a_number")]
        indexes = [
            models.Index(
                models.F("workspace"),
                models.F("state"),
                models.F("rank").desc(),
                DUE_OR_NEVER,
                models.F("number"),
                name="cases_in_the_queue",
            ),
            models.Index(
                models.F("workspace"),
                models.F("state"),
                models.F("priority"),
                models.F("rank").desc(),
                DUE_OR_NEVER,
                models.F("number"),
                name="cases_of_a_class",
            ),
            models.Index(fields=["workspace", "due_at"], name="cases_by_deadline"),
            models.Index(
                models.F("workspace"),
                models.F("owner"),
                models.F("state"),
                models.F("rank").desc(),
                DUE_OR_NEVER,
                models.F("number"),
                name="cases_of_an_owner",
            ),
            models.Index(
                models.F("workspace"),
                models.F("team"),
                models.F("state"),
                models.F("rank").desc(),
                DUE_OR_NEVER,
                models.F("number"),
                name="cases_of_a_team",
            ),
            models.Index(fields=["workspace", "-opened_at"], name="cases_by_opening"),
            models.Index(fields=["snoozed_until"], condition=models.Q(state="snoozed"), name="snoozed_cases"),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"


class CaseConversation(models.Model):
    """A conversation that a case works on. One open case a conversation."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="case_conversations")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="case_conversations")
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "conversation"], name="once_in_a_case")]

    def __str__(self) -> str:
        return f"{self.case_id}: {self.conversation_id}"


class CaseRole(models.Model):
    """Who besides the owner has a part in a case. The owner acts; one decides; others are informed."""

    class Role(models.TextChoices):
        """The parts."""

        ACTS = "acts", _("Acts")
        DECIDES = "decides", _("Decides")
        INFORMED = "informed", _("Is informed")

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="case_roles")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="case_roles")
    role = models.CharField(max_length=8, choices=Role)
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "member", "role"], name="one_part_a_member")]

    def __str__(self) -> str:
        return f"{self.member_id} {self.role} {self.case_id}"


class CaseTag(models.Model):
    """A word on a case."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=60)

    class Meta:
        ordering = ["tag"]
        constraints = [models.UniqueConstraint(fields=["case", "tag"], name="one_tag_a_case")]
        indexes = [models.Index(fields=["tag"], name="cases_by_tag")]

    def __str__(self) -> str:
        return self.tag


class CaseChange(Change):
    """The history of a case, one row a change; reports count these rows."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="changes")

    class Meta(Change.Meta):
        indexes = [models.Index(fields=["case", "at"], name="changes_of_a_case")]


class Note(models.Model):
    """What members say to each other on a case; never sent."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="notes")
    by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="+")
    text = models.TextField(_("note"))
    mentioned = models.ManyToManyField(Member, related_name="mentioned_in")
    at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"note {self.pk} on {self.case_id}"


class Timer(models.Model):
    """Something that falls due on a case: a deadline, a silent owner, the end of a snooze, the wait for a community."""

    class Kind(models.TextChoices):
        """What falls due."""

        FIRST_ANSWER = "first_answer", _("First answer")
        NEXT_ANSWER = "next_answer", _("Next answer")
        RESOLUTION = "resolution", _("Resolution")
        SILENT = "silent", _("Silent owner")
        SNOOZE = "snooze", _("End of snooze")
        COMMUNITY = "community", _("Wait for the community")

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="timers")
    kind = models.CharField(max_length=12, choices=Kind)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, blank=True)
    """met, missed, moved or dropped."""

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["case", "kind"], condition=models.Q(done_at=None), name="one_running_timer_of_a_kind"
            )
        ]
        indexes = [models.Index(fields=["due_at"], condition=models.Q(done_at=None), name="due_timers")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.case_id}"


class EscalationStep(models.Model):
    """What happens on a case after so long without an answer, or with an owner who does not begin.

    It stands with a target, for every case of its class, or with one case that a rule or an outcome gave it to.
    """

    class After(models.TextChoices):
        """What the minutes are counted of."""

        UNANSWERED = "unanswered", _("without an answer")
        SILENT = "silent", _("with an owner who has not begun")

    class Does(models.TextChoices):
        """What is done."""

        INFORM = "inform", _("Tell")
        REASSIGN = "reassign", _("Give the case to")
        RAISE = "raise", _("Raise the class by one")

    target = models.ForeignKey(Target, on_delete=models.CASCADE, null=True, related_name="steps")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, null=True, related_name="own_steps")
    origin = models.JSONField(default=dict)
    """What gave it to the case: {"rules": [their names]} or {"outcome": its name}; empty with a target."""
    after = models.CharField(_("counted of"), max_length=10, choices=After, default=After.UNANSWERED)
    minutes = models.PositiveIntegerField(_("after minutes"))
    does = models.CharField(_("what is done"), max_length=8, choices=Does)
    member = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, related_name="+")
    team = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    """Neither: whoever leads the team of the case."""
    created_at = models.DateTimeField(default=now, editable=False)
    """What would have been due before it stood there is let be: a new step tells nobody of old cases."""
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["minutes", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(target=None, case__isnull=False) | models.Q(target__isnull=False, case=None),
                name="a_step_of_a_target_or_a_case",
            )
        ]

    def __str__(self) -> str:
        return f"{self.minutes} min {self.after}: {self.does}"


class Escalation(models.Model):
    """A step on one case, for one question or one owner: due work that is done once."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="escalations")
    step = models.ForeignKey(EscalationStep, on_delete=models.CASCADE, related_name="escalations")
    since = models.DateTimeField()
    """From when it is counted: the opening, their last question, or when the owner got it."""
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    changes = models.JSONField(default=list)
    """Numbers of the rows of history that it left, for its undo."""
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["due_at", "id"]
        constraints = [models.UniqueConstraint(fields=["case", "step", "since"], name="a_step_once")]
        indexes = [models.Index(fields=["due_at"], condition=models.Q(done_at=None), name="due_escalations")]

    def __str__(self) -> str:
        return f"{self.step_id} on {self.case_id}"


class Reckoning(models.Model):
    """Open deadlines that follow changed targets or hours: gone through piece by piece, each case once."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="reckonings")
    why = models.TextField()
    """What was changed, in words: the reason that stands on each case whose deadlines moved."""
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    reached = models.BigIntegerField(default=0)
    """Number of the last case that was looked at, written with what was done to it."""
    looked = models.PositiveIntegerField(default=0)
    moved = models.PositiveIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["id"], condition=models.Q(done_at=None), name="open_reckonings")]

    def __str__(self) -> str:
        return self.why


class Rule(models.Model):
    """A condition in the query language, and what is done where it holds."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(_("name"), max_length=120)
    condition = models.TextField(_("condition"))
    effects = models.JSONField(_("effects"), default=list)
    """In order: {"do": "open_case" | "triage" | "assign_team" | "assign_member" | "assign_touchpoint_owner" |
    "need_skill" | "priority" | "tag" | "inform" | "notify" | "escalate", …}; read by `routing/rules.py`."""
    position = models.PositiveIntegerField(default=0)
    stops = models.BooleanField(_("later rules are not looked at"), default=False)
    enabled = models.BooleanField(_("on"), default=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class RuleVersion(models.Model):
    """A rule as it once stood."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    condition = models.TextField()
    effects = models.JSONField()
    stops = models.BooleanField(default=False)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["rule", "version"], name="one_row_a_rule_version")]

    def __str__(self) -> str:
        return f"{self.rule_id} v{self.version}"


class Playbook(models.Model):
    """A named tree of questions that says which mention gets which answer."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="playbooks")
    name = models.CharField(_("name"), max_length=120)
    active = models.ForeignKey("PlaybookVersion", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=models.Q(deleted_at=None), name="one_playbook_a_workspace"
            )
        ]

    def __str__(self) -> str:
        return self.name


class PlaybookVersion(models.Model):
    """The tree as data, never changed once it was active."""

    playbook = models.ForeignKey(Playbook, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    tree = models.JSONField()
    note = models.TextField(blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    activated_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["playbook", "version"], name="one_row_a_playbook_version")]

    def __str__(self) -> str:
        return f"{self.playbook_id} v{self.version}"


class Decision(models.Model):
    """What rules and triage said of one mention, with everything needed to say why, and to replay it."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="decisions")
    uid = models.TextField()
    post_id = models.BigIntegerField(null=True)
    case = models.ForeignKey(Case, on_delete=models.SET_NULL, null=True, related_name="decisions")
    rules = models.JSONField(default=list)
    """The rules that held: [{"rule": 3, "version": 2, "effects": […]}, …]."""
    playbook = models.ForeignKey(PlaybookVersion, on_delete=models.SET_NULL, null=True, related_name="decisions")
    path = models.JSONField(default=list)
    """The nodes in order: [{"node": "Q1", "answer": "no", "evidence": {…}, "by": null}, …]."""
    outcome = models.CharField(max_length=30, blank=True)
    priority = models.CharField(max_length=10, blank=True)
    team = models.BigIntegerField(null=True)
    owner = models.BigIntegerField(null=True)
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["workspace", "uid"], name="one_decision_a_mention")]

    def __str__(self) -> str:
        return f"{self.uid}: {self.outcome}"


class ReplayDifference(models.Model):
    """A mention that would go another way than it went, as a replay found it: all of them, to be read by the page."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="replay_differences")
    place = models.PositiveIntegerField()
    """From 1 on, in the order of time."""
    uid = models.TextField()
    post_id = models.BigIntegerField()
    was = models.JSONField(null=True)
    """What was said of it; null: no rule held. `would` likewise."""
    would = models.JSONField(null=True)

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["job", "place"], name="one_difference_a_place")]
        indexes = [models.Index(fields=["uid"], name="differences_of_a_post")]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.uid}"


class Override(models.Model):
    """A person answers a node of triage differently: followed at once, and kept as a label."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="overrides")
    decision = models.ForeignKey(Decision, on_delete=models.CASCADE, related_name="overrides")
    node = models.CharField(max_length=30)
    old = models.CharField(max_length=30)
    new = models.CharField(max_length=30)
    why = models.TextField(blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.node}: {self.old} → {self.new}"


class CaseView(models.Model):
    """A filter of the inbox with a name."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="case_views")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="case_views")
    name = models.CharField(_("name"), max_length=80)
    address = models.TextField()
    """The query string of the page."""
    shared = models.BooleanField(_("everybody in the workspace sees it"), default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["member", "name"], name="one_case_view_of_a_name")]

    def __str__(self) -> str:
        return self.name
