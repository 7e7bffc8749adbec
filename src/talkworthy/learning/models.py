"""Labels, models that a workspace trained on them, and how sure answers must be."""

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.ecosystem.models import Touchpoint
from talkworthy.workspaces.models import User, Workspace

TOUCHPOINT_TASK = "touchpoint-"
"""Labels of this task and a touchpoint's number say whether a post belongs to it: yes or no."""


class Label(models.Model):
    """A person says what an annotation of a post should say, whether or not the model had said so."""

    class Kind(models.TextChoices):
        """How it came."""

        CORRECTION = "correction", _("Corrected")
        CONFIRMATION = "confirmation", _("Confirmed")
        IMPORT = "import", _("From a file")
        ANSWER = "answer", _("Answered in the playbook")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="labels")
    uid = models.TextField()
    post_id = models.BigIntegerField()
    task = models.CharField(max_length=30)
    """Name of the annotation column: sentiment, intent, urgency, detected_language."""
    value = models.CharField(max_length=40)
    answer = models.CharField(max_length=40, blank=True)
    """What the model had answered, and with which probability."""
    probability = models.FloatField(null=True)
    model = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=12, choices=Kind)
    drawn = models.BooleanField(default=False)
    """The post was drawn by lot: only such labels say how often a model is right."""
    language = models.CharField(max_length=12, blank=True)
    channel = models.CharField(max_length=40, blank=True)
    correction = models.BigIntegerField(null=True)
    """The correction that it was made with: it ends with it."""
    brought_by = models.BigIntegerField(null=True)
    """The import, or the answer in the playbook, that it came with: it ends when that is undone."""
    text = models.TextField(blank=True)
    """Its words, where they are of no stored post."""
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True)
    """When it was taken back, or a later one took its place."""

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "task", "uid"], condition=models.Q(ended_at=None), name="one_live_label"
            )
        ]

    def __str__(self) -> str:
        return f"{self.task}: {self.value}"


class TrainedModel(models.Model):
    """A model that a workspace trained; its file lies in the data folder and is never changed."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="trained_models")
    task = models.CharField(max_length=30)
    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    features = models.CharField(max_length=64)
    """Sum of the shipped features that it was made for."""
    thresholds = models.JSONField()
    comparison = models.JSONField()
    labels = models.PositiveIntegerField()
    drawn = models.PositiveIntegerField()
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    activated_at = models.DateTimeField(null=True)
    """Since when it answers; null where it does not."""

    class Meta:
        ordering = ["task", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "task", "number"], name="one_model_of_a_number"),
            models.UniqueConstraint(
                fields=["workspace", "task"],
                condition=models.Q(activated_at__isnull=False),
                name="one_active_model_a_task",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.number}"


class Sureness(models.Model):
    """Below which probability an answer is "undecided"; without a row it is the model's own limit."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    task = models.CharField(max_length=30)
    least = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "task"], name="one_sureness_a_task"),
            models.CheckConstraint(
                condition=models.Q(least__gte=0) & models.Q(least__lte=1), name="sureness_is_a_probability"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} from {self.least:.0%}"


class SpokenLanguages(models.Model):
    """Which languages the sources of a workspace usually speak: what is known of a short post beforehand."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField(default=0)
    """Which is cited; another one where a source's languages moved."""
    sources = models.JSONField(default=dict)
    """By the key of a source: how many posts told, and the share of each language."""
    answers = models.BooleanField(default=True)
    looked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"languages of {len(self.sources)} sources"


class DriftLook(models.Model):
    """What the newest weekly look at a task's posts found, for the page and for alerts."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    task = models.CharField(max_length=30)
    week = models.DateField()
    """The Monday up to which it looked."""
    figures = models.JSONField()
    at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "task"], name="one_look_a_task")]

    def __str__(self) -> str:
        return f"{self.task} {self.week}"


class TaughtTouchpoint(models.Model):
    """A touchpoint that people gave examples of: whether it ties posts by them, and which posts it has looked at."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    touchpoint = models.OneToOneField(Touchpoint, on_delete=models.CASCADE, related_name="+")
    answers = models.BooleanField(default=True)
    looked_at = models.DateTimeField(null=True)
    """When all posts were looked at last; null where the examples changed since."""
    looked_to = models.BigIntegerField(null=True)
    """The version of the archive up to which arrivals were looked at."""
    due_at = models.DateTimeField(null=True, default=now)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="taught_touchpoints_due")]

    def __str__(self) -> str:
        return f"examples of {self.touchpoint}"

    @property
    def task(self) -> str:
        """The name under which its examples are labels."""
        return f"{TOUCHPOINT_TASK}{self.touchpoint_id}"


class LearnedTie(models.Model):
    """A post that belongs to a touchpoint by its examples, not by its query."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    touchpoint = models.ForeignKey(Touchpoint, on_delete=models.CASCADE, related_name="+")
    uid = models.TextField()
    post_id = models.BigIntegerField()
    probability = models.FloatField()
    nearest = models.JSONField(default=list)
    """The examples nearest to it: [id of the post, likeness, the words that do most]."""
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-post_id"]
        constraints = [models.UniqueConstraint(fields=["touchpoint", "uid"], name="one_learned_tie")]
        indexes = [models.Index(fields=["workspace", "uid"], name="learned_ties_of_a_post")]

    def __str__(self) -> str:
        return f"{self.touchpoint}: {self.probability:.0%}"


class CarriedTie(models.Model):
    """A post that stands in the archive, and in the counts, under a touchpoint's monitor because of examples."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    touchpoint = models.ForeignKey(Touchpoint, on_delete=models.CASCADE, related_name="+")
    uid = models.TextField()
    post_id = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["touchpoint", "uid"], name="one_carried_tie")]
        indexes = [models.Index(fields=["workspace", "uid"], name="carried_ties_of_a_post")]

    def __str__(self) -> str:
        return f"{self.touchpoint}: {self.uid}"


class Pair(models.Model):
    """A person says of two posts whether they speak of the same matter."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    first_uid = models.TextField()
    """Of the two uids the one that sorts first, so that a pair stands once whichever post was open."""
    second_uid = models.TextField()
    first_id = models.BigIntegerField()
    second_id = models.BigIntegerField()
    same = models.BooleanField()
    probability = models.FloatField()
    """What the model had said, and its version."""
    model = models.CharField(max_length=40)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)
    ended_at = models.DateTimeField(null=True)
    """When it was taken back, or a later one took its place."""

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "first_uid", "second_uid"],
                condition=models.Q(ended_at=None),
                name="one_live_pair",
            )
        ]
        indexes = [models.Index(fields=["workspace", "second_uid"], name="pairs_by_their_second_post")]

    def __str__(self) -> str:
        return "same matter" if self.same else "not the same matter"


class Sample(models.Model):
    """Posts drawn by lot, in the order in which people label them for one task; the newest of a task goes on."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    task = models.CharField(max_length=30)
    seed = models.BigIntegerField()
    population = models.PositiveIntegerField()
    """How many posts were in the urn."""
    posts = models.JSONField()
    """Ids of the archive, in the order of the lot."""
    steps = models.JSONField(default=list)
    """For each post that was passed: the label's key, "skipped", or "gone"."""
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["workspace", "task"], name="samples_of_a_task")]

    def __str__(self) -> str:
        return f"{self.task}: {len(self.steps)} of {len(self.posts)}"
