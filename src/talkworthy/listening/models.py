"""Sources that bring posts, monitors that find them, and what people said of what was found."""

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.workspaces.models import Member, User, Workspace


class Source(models.Model):
    """One place that is listened to, through one connector."""

    class State(models.TextChoices):
        """How the source is doing; `last_error` says why where it is not well."""

        NEW = "new", _("Not fetched yet")
        HEALTHY = "healthy", _("Healthy")
        RETRYING = "retrying", _("Retrying")
        REFUSED = "refused", _("Needs credentials")
        GONE = "gone", _("Gone")
        PAUSED = "paused", _("Paused")

    class Keep(models.TextChoices):
        """Which of its posts are stored."""

        ALL = "all", _("Every post")
        MATCHED = "matched", _("Posts that a monitor finds")
        SAMPLE = "sample", _("Posts that a monitor finds, and a sample of the rest")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="sources")
    connector = models.CharField(max_length=40)
    name = models.CharField(_("name"), max_length=120)
    settings = models.JSONField(default=dict)
    secrets = models.BinaryField(default=bytes, blank=True)
    """Secret settings as JSON, encrypted with the key that stands outside the database."""
    key = models.CharField(max_length=43, unique=True)
    """The unguessable part of its receiving address."""
    keep = models.CharField(_("what is stored"), max_length=8, choices=Keep, default=Keep.ALL)
    sample_percent = models.FloatField(_("sample of the rest, in percent"), default=1.0)
    interval = models.PositiveIntegerField(_("seconds between fetches"), default=300)
    state = models.CharField(max_length=10, choices=State, default=State.NEW)
    cursor = models.JSONField(null=True)
    """A copy for people; the durable one stands beside the payloads."""
    note = models.TextField(blank=True)
    last_error = models.TextField(blank=True)
    failures = models.PositiveIntegerField(default=0)
    posts = models.BigIntegerField(default=0)
    last_fetch_at = models.DateTimeField(null=True)
    last_post_at = models.DateTimeField(null=True)
    """When the newest of its posts was published."""
    last_arrival_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(default=now)
    claimed_until = models.DateTimeField(null=True)
    subscribed_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], condition=models.Q(deleted_at=None), name="due_sources")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sample_percent__gte=0) & models.Q(sample_percent__lte=100),
                name="sample_is_a_percentage",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Monitor(models.Model):
    """A query with a name: what it finds are its mentions."""

    class Kind(models.TextChoices):
        """What the query is about."""

        BRAND = "brand", _("Brand")
        PRODUCT = "product", _("Product")
        RIVAL = "rival", _("Rival")
        FIELD = "field", _("Field")
        TOUCHPOINT = "touchpoint", _("Touchpoint")
        PERSON = "person", _("Person")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="monitors")
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.BRAND)
    colour = models.CharField(_("colour"), max_length=16, default="blue")
    owner = models.ForeignKey(
        Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="monitors", verbose_name=_("owner")
    )
    query = models.TextField(_("query"))
    touchpoint = models.OneToOneField(
        Touchpoint, on_delete=models.SET_NULL, null=True, blank=True, related_name="monitor"
    )
    """The touchpoint whose query it carries: its mentions are tied to it."""
    promise = models.OneToOneField(Promise, on_delete=models.SET_NULL, null=True, blank=True, related_name="monitor")
    """The promise whose query it carries."""
    version = models.PositiveIntegerField(default=1)
    matched_until = models.BigIntegerField(null=True)
    """While history is being matched again: how far, as an archive id; null when it is done."""
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now)
    paused_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], condition=models.Q(deleted_at=None), name="one_monitor_of_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.name


class MonitorVersion(models.Model):
    """A query as it once stood, and who wrote it."""

    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    query = models.TextField()
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["monitor", "version"], name="one_row_a_version")]

    def __str__(self) -> str:
        return f"{self.monitor_id} v{self.version}"


PROGRESSED = "progressed"
"""In a job's request: the attempt that got somewhere last. Who is cut short every night must end one day, too."""


class Job(models.Model):
    """Long work that somebody waits for, with its progress: a backtest, an import, an export, an erasure, a rematch."""

    class Kind(models.TextChoices):
        """What is done."""

        BACKTEST = "backtest", _("Backtest")
        IMPORT = "import", _("Import")
        EXPORT = "export", _("Export")
        ERASURE = "erasure", _("Erasure")
        REMATCH = "rematch", _("Match history again")
        REPLAY = "replay", _("Replay of routing")
        LINK = "link", _("Look for links between people")
        SYNC = "sync", _("Exchange with the CRM")
        RETRAIN = "retrain", _("Training on labels")
        INFLUENCE = "influence", _("Count who is heard")
        RECOMPUTE = "recompute", _("Recompute annotations")
        LABELS = "labels", _("Import of labels")
        CASES = "cases", _("Change of many cases")

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        STOPPED = "stopped", _("Stopped")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=10, choices=Kind)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, null=True, related_name="jobs")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    request = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    unit = models.CharField(max_length=20, default="posts")
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["state", "created_at"], name="jobs_to_do")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class Mark(models.Model):
    """A person says whether a mention rightly belongs to a monitor."""

    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, related_name="marks")
    uid = models.TextField()
    version = models.PositiveIntegerField()
    right = models.BooleanField()
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["monitor", "uid"], name="one_mark_a_mention")]

    def __str__(self) -> str:
        return f"{self.monitor_id} {self.uid} {self.right}"


class Correction(models.Model):
    """A person corrects an annotation: shown at once, kept as a label, and undone at any time."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="corrections")
    uid = models.TextField()
    post_id = models.BigIntegerField()
    task = models.CharField(max_length=30)
    """Name of the annotation column: sentiment, intent, urgency, detected_language."""
    old = models.CharField(max_length=40, blank=True)
    new = models.CharField(max_length=40)
    model = models.CharField(max_length=80, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    undone_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["workspace", "post_id"], name="corrections_of_a_post")]

    def __str__(self) -> str:
        return f"{self.task}: {self.old} → {self.new}"


class SavedView(models.Model):
    """A filter of the river with a name."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="views")
    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="views")
    name = models.CharField(_("name"), max_length=80)
    address = models.TextField()
    """The query string of the page."""
    shared = models.BooleanField(_("everybody in the workspace sees it"), default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["member", "name"], name="one_view_of_a_name")]

    def __str__(self) -> str:
        return self.name


class AlertRule(models.Model):
    """When somebody is told."""

    class Kind(models.TextChoices):
        """What sets it off."""

        UNUSUAL = "unusual", _("More mentions than usual")
        SILENT = "silent", _("A source has gone silent")
        EMPTY = "empty", _("A monitor finds nothing any more")
        DRIFT = "drift", _("A model meets other posts than before")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="alert_rules")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules")
    """Null monitor or source: each one of the workspace."""
    threshold = models.FloatField(_("threshold"), default=0.001)
    """unusual: the probability under which a count is unusual; silent and empty: times the usual gap."""
    minimum = models.PositiveIntegerField(_("at least this many mentions"), default=5)
    by_mail = models.BooleanField(_("also by e-mail"), default=False)
    owner = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="alert_rules")
    enabled = models.BooleanField(_("on"), default=True)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.kind} {self.monitor_id or self.source_id or 'all'}"


class Alert(models.Model):
    """Something worth a look, with the figures that say so."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="alerts")
    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts")
    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, null=True, related_name="alerts")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, null=True, related_name="alerts")
    period = models.CharField(max_length=40)
    """What it speaks of, such as an hour: a rule speaks once of it."""
    evidence = models.JSONField(default=dict)
    at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["rule", "period"], name="one_alert_a_period")]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.period}"


class HourCube(models.Model):
    """Posts and their engagement per hour, monitor, channel and sentiment. Kept per batch, rebuilt from the archive."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    hour = models.DateTimeField()
    monitor = models.BigIntegerField()
    """Number of the monitor; 0 counts every post once."""
    channel = models.CharField(max_length=40)
    sentiment = models.CharField(max_length=10)
    posts = models.BigIntegerField()
    replies = models.BigIntegerField()
    shares = models.BigIntegerField()
    likes = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "monitor", "hour", "channel", "sentiment"], name="one_cell_an_hour"
            )
        ]

    def __str__(self) -> str:
        return f"{self.hour} {self.monitor} {self.channel} {self.sentiment}: {self.posts}"


class DayCube(models.Model):
    """Posts per day of UTC, monitor and one more dimension at a time; `all` has one value, the empty one."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    monitor = models.BigIntegerField()
    dimension = models.CharField(max_length=12)
    value = models.CharField(max_length=200)
    posts = models.BigIntegerField()
    replies = models.BigIntegerField(null=True)
    shares = models.BigIntegerField(null=True)
    likes = models.BigIntegerField(null=True)
    """Engagement stands in the cells of `all` and `channel`, and is null in the others."""

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "monitor", "dimension", "day", "value"], name="one_cell_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.monitor} {self.dimension}={self.value}: {self.posts}"


class MonthCube(models.Model):
    """Posts per month of UTC, monitor and one dimension of many values: what a year of days takes long to sum."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    month = models.DateField()
    """Its first day."""
    monitor = models.BigIntegerField()
    dimension = models.CharField(max_length=12)
    value = models.CharField(max_length=200)
    posts = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "monitor", "dimension", "month", "value"], name="one_cell_a_month"
            )
        ]

    def __str__(self) -> str:
        return f"{self.month} {self.monitor} {self.dimension}={self.value}: {self.posts}"


class Batch(models.Model):
    """What a batch will change in the cubes, written before it is stored: so that a crash in between is mended."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    changes = models.JSONField(null=True)
    applied_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_batch_of_a_name")]

    def __str__(self) -> str:
        return self.name


class VoicesCounted(models.Model):
    """When the accounts of a workspace were last counted, and beside whom each of them was judged."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="voices_counted")
    archive_version = models.BigIntegerField(null=True)
    """The archive as it was read; null until they are counted for the first time."""
    counted_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(default=now)
    posts = models.BigIntegerField(default=0)
    accounts = models.BigIntegerField(default=0)
    unresolved = models.BigIntegerField(default=0)
    """Answers and shares of posts that were never collected: nobody is heard by them."""
    usual = models.FloatField(null=True)
    """The share of all posts that a monitor found; null where none found any, so that nothing is off the topic."""
    middles = models.JSONField(default=dict)
    """The counts of the middle account of each channel."""

    def __str__(self) -> str:
        return f"{self.workspace_id} {self.counted_at}"


class Voice(models.Model):
    """An account as it was last counted from the archive: how far it is heard, and what says so."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="voices")
    channel = models.CharField(max_length=40)
    account = models.TextField()
    """The account's id on its channel, its handle where the channel gives none."""
    handle = models.TextField(blank=True)
    name = models.TextField(blank=True)
    posts = models.BigIntegerField()
    found = models.BigIntegerField()
    """Its posts that a monitor found."""
    people = models.BigIntegerField()
    """Different accounts that answer, share or name it."""
    counts = models.JSONField(default=dict)
    """What reach was judged by; null: the channel does not say."""
    signs = models.JSONField(default=list)
    """What speaks for believing it and against: name, points, what was seen."""
    acts = models.JSONField(default=list)
    """The newest posts that act on it: the archive's number, and what it does."""
    reach = models.FloatField()
    relevance = models.FloatField()
    credibility = models.FloatField()
    influence = models.PositiveSmallIntegerField(null=True)
    """0 to 100: the percentage of accounts that lie below; null: undecided."""
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "channel", "account"], name="one_voice_an_account")]
        indexes = [models.Index(fields=["workspace", "influence"], name="voices_by_influence")]

    def __str__(self) -> str:
        return f"{self.channel} {self.account}: {self.influence}"
