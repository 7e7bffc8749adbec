"""The row that each change of a thing leaves: what it was, what it is, who, why and when. Never changed."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.timezone import now


class Change(models.Model):
    """Abstract: a room's own table adds what was changed. `by` null: the product did it, and `why` says on what."""

    what = models.CharField(max_length=40)
    """The field or the thing that happened, such as state, owner, sent."""
    old = models.JSONField(null=True)
    new = models.JSONField(null=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    why = models.TextField(blank=True)
    at = models.DateTimeField(default=now)

    class Meta:
        abstract = True
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.what}: {self.old} → {self.new}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; an existing one cannot be changed."""
        if not self._state.adding:
            raise TypeError("a change that was made cannot be changed")
        super().save(*args, **kwargs)
