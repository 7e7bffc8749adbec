"""Where people meet the organisation (touchpoints), who answers for each, and what was promised there."""

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from talkworthy.workspaces.models import Member, Team, User, Workspace


class Touchpoint(models.Model):
    """One place of the experience. Mentions are tied to it by its query, which a monitor of its own carries."""

    class Kind(models.TextChoices):
        """What people meet there."""

        PRODUCT = "product", _("Product")
        SERVICE = "service", _("Service")
        PARTNER = "partner", _("Partner")
        SALES = "sales", _("Sales channel")
        SUPPORT = "support", _("Support channel")
        VALUE = "value", _("Value")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="touchpoints")
    name = models.CharField(_("name"), max_length=80)
    slug = models.SlugField(max_length=60)
    """Its name in queries: touchpoint:slug."""
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.PRODUCT)
    query = models.TextField(_("query"))
    about = models.TextField(_("what it is"), blank=True)
    colour = models.CharField(_("colour"), max_length=16, default="teal")
    owner = models.ForeignKey(
        Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="touchpoints", verbose_name=_("owner")
    )
    team = models.ForeignKey(
        Team, on_delete=models.SET_NULL, null=True, blank=True, related_name="touchpoints", verbose_name=_("team")
    )
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "slug"], condition=models.Q(deleted_at=None), name="one_touchpoint_of_a_slug"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Promise(models.Model):
    """What was promised at a touchpoint: the words, where they were made, and while they hold."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="promises")
    touchpoint = models.ForeignKey(Touchpoint, on_delete=models.CASCADE, related_name="promises")
    words = models.TextField(_("the words"))
    made_in = models.CharField(_("where it was made"), max_length=200)
    address = models.URLField(_("address"), max_length=500, blank=True)
    valid_from = models.DateField(_("holds from"))
    valid_to = models.DateField(_("holds to"), null=True, blank=True)
    query = models.TextField(_("mentions that speak of it"), blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-valid_from", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(valid_to=None) | models.Q(valid_to__gte=models.F("valid_from")),
                name="a_promise_ends_after_it_begins",
            )
        ]

    def __str__(self) -> str:
        return self.words[:80]
