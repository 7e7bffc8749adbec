"""Forms of learning: which stored posts are looked at again, and by which models."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.learning.actions import SURE
from talkworthy.learning.choosing import Choice
from talkworthy.learning.importing import FORMATS, PARTS, format_of, guessed
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


class LabelsForm(forms.Form):
    """A file of labels."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV, JSON Lines or Parquet, one label a row; its columns are named in the next step."),
        widget=forms.FileInput(attrs={"accept": ",".join([*FORMATS, ".gz"])}),
    )

    def clean_file(self) -> Any:
        """A file whose name says its format."""
        file = self.cleaned_data["file"]
        try:
            self.format = format_of(file.name)
        except ValueError as error:
            raise forms.ValidationError(
                _("The name of the file does not tell its format: %(why)s.") % {"why": error}
            ) from error
        return file


class LabelColumnsForm(forms.Form):
    """Which column of a file of labels is what, or one task for all of them."""

    task = forms.ChoiceField(label=gettext_lazy("Task"))
    label = forms.ChoiceField(label=gettext_lazy("What is right"))
    uid = forms.ChoiceField(label=gettext_lazy("The post’s uid"), required=False)
    text = forms.ChoiceField(
        label=gettext_lazy("Its text"),
        required=False,
        help_text=gettext_lazy("Taken where the post is not stored here."),
    )
    drawn = forms.BooleanField(
        label=gettext_lazy("The posts were drawn by lot"),
        required=False,
        help_text=gettext_lazy(
            "Only then do they say how often a model is right. Labels that were looked for, or come from corrections, "
            "teach and measure nothing."
        ),
    )

    def __init__(self, *args: Any, columns: list[tuple[str, str]], **kwargs: Any) -> None:
        guess = guessed([name for name, _example in columns])
        super().__init__(*args, **kwargs)
        self.initial = {"task": "=sentiment", **guess}
        shown = [(name, f"{name} ({example})" if example else name) for name, example in columns]
        fixed = [(f"={task}", _("every row: %(task)s") % {"task": TASK[task]}) for task in SURE]
        for part in PARTS:
            field = self.fields[part]
            if isinstance(field, forms.ChoiceField):
                none = [] if field.required else [("", _("none"))]
                field.choices = [*fixed, *shown] if part == "task" else [*none, *shown]

    def clean(self) -> dict[str, Any]:
        """A post is named, or its text is there."""
        cleaned = super().clean() or {}
        if not cleaned.get("uid") and not cleaned.get("text"):
            self.add_error("uid", _("Name the column of the uid, or that of the text."))
        return cleaned

    @property
    def mapping(self) -> dict[str, str]:
        """What each part is read from."""
        return {part: self.cleaned_data[part] for part in PARTS if self.cleaned_data[part]}
