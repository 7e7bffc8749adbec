"""Forms of learning: which stored posts are looked at again, and by which models."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.learning.choosing import Choice
from talkworthy.learning.models import TrainedModel
from talkworthy.listening.labels import TASK
from talkworthy.listening.models import Monitor

DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class RecomputeForm(forms.Form):
    """A span of posts, a monitor or all of them, and a model for each task that has several."""

    since = forms.DateField(label=gettext_lazy("Posts from"), required=False, widget=DATE)
    until = forms.DateField(
        label=gettext_lazy("Until"),
        required=False,
        widget=DATE,
        help_text=gettext_lazy("This day is still looked at. Left empty: from the first post, up to now."),
    )
    monitor = forms.ModelChoiceField(
        Monitor.objects.none(), label=gettext_lazy("Monitor"), required=False, empty_label=gettext_lazy("Every post")
    )

    def __init__(
        self, *args: Any, monitors: Any, trained: dict[str, list[TrainedModel]], answering: Choice, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["monitor"]
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = monitors
        self.tasks, self.answering = tuple(trained), answering
        for task, models in trained.items():
            shipped = (0, _("the shipped model"))
            own = [(one.number, _("your model %(number)s") % {"number": one.number}) for one in models]
            self.fields[task] = forms.TypedChoiceField(
                label=TASK[task], coerce=int, choices=[shipped, *own], initial=answering.models.get(task, 0)
            )

    def clean(self) -> dict[str, Any]:
        """A span has its end after its beginning."""
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since > until:
            self.add_error("until", _("The last day comes before the first."))
        return cleaned

    @property
    def choice(self) -> Choice:
        """The models that were chosen; how sure answers must be stays as it is."""
        chosen = {task: self.cleaned_data[task] for task in self.tasks}
        return Choice({task: number for task, number in chosen.items() if number}, self.answering.sure)

    @property
    def begins(self) -> datetime | None:
        """The beginning of the first day, in the reader's zone."""
        day = self.cleaned_data["since"]
        return _midnight(day) if day else None

    @property
    def ends(self) -> datetime | None:
        """The end of the last day."""
        day = self.cleaned_data["until"]
        return _midnight(day + timedelta(days=1)) if day else None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
