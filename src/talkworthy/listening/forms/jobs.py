"""Forms that start long work: import, export, erasure."""

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.listening.exchange import format_of
from talkworthy.listening.uploads import Column
from talkworthy.schema.formats import ENDINGS
from talkworthy.schema.formats.csv import TARGETS

FORMATS = (
    ("jsonl", gettext_lazy("JSON Lines, one post a line")),
    ("parquet", gettext_lazy("Parquet")),
    ("activitystreams", gettext_lazy("ActivityStreams 2.0")),
    ("csv", gettext_lazy("CSV: rows and columns")),
)


class ImportForm(forms.Form):
    """A file of posts."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "JSON Lines, Parquet, ActivityStreams 2.0, or CSV, whose columns you name in the next step."
        ),
        widget=forms.FileInput(attrs={"accept": ",".join([*ENDINGS, ".gz"])}),
    )
    format = forms.ChoiceField(
        label=gettext_lazy("Format"), required=False, choices=[("", gettext_lazy("By the name of the file")), *FORMATS]
    )

    def clean(self) -> dict[str, Any]:
        """Find the format where none was chosen."""
        cleaned = super().clean() or {}
        file = cleaned.get("file")
        if file is not None and not cleaned.get("format"):
            try:
                cleaned["format"] = format_of(file.name)
            except ValueError:
                self.add_error("format", _("The name of the file does not tell its format. Choose it here."))
        return cleaned


class MappingForm(forms.Form):
    """What each column of a file of rows is, and where posts come from whose ids do not say it."""

    origin = forms.CharField(
        label=gettext_lazy("Where the posts come from"),
        required=False,
        max_length=40,
        validators=[RegexValidator(r"^[^\s:]*$", gettext_lazy("A name without blanks and colons."))],
        widget=forms.TextInput(attrs={"spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy(
            "A short name. An id such as 17 is the same post in every file of this name, and another post elsewhere: "
            "take the same name for a newer copy of the file."
        ),
    )

    def __init__(self, *args: Any, columns: list[Column], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns
        choices = [("", _("leave out")), *((target, target) for target in TARGETS)]
        for place, column in enumerate(columns):
            self.fields[f"column_{place}"] = forms.ChoiceField(
                label=column.name, required=False, choices=choices, initial=column.guess
            )

    def clean(self) -> dict[str, Any]:
        """Text and time are needed, and nothing stands in two columns."""
        cleaned = super().clean() or {}
        if not self.columns:
            return cleaned
        chosen = [target for name, target in cleaned.items() if target and name != "origin"]
        twice = sorted({target for target in chosen if chosen.count(target) > 1})
        if twice:
            raise forms.ValidationError(_("Two columns cannot both be: %(what)s.") % {"what": ", ".join(twice)})
        lacking = [target for target in ("text", "published_at") if target not in chosen]
        if lacking:
            raise forms.ValidationError(_("Say which column is: %(what)s.") % {"what": ", ".join(lacking)})
        return cleaned

    @property
    def mapping(self) -> dict[str, str]:
        """For each thing of a post the header of its column."""
        pairs = ((self.cleaned_data[f"column_{place}"], column.name) for place, column in enumerate(self.columns))
        named = {target: name for target, name in pairs if target}
        origin = self.cleaned_data["origin"]
        return {**named, "origin": f"={origin}"} if origin and "origin" not in named else named


class ExportForm(forms.Form):
    """Which posts, and as what."""

    query = forms.CharField(
        label=gettext_lazy("Query"),
        required=False,
        max_length=4000,
        widget=forms.TextInput(attrs={"spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy("In the language of searches and monitors; empty: every post."),
    )
    since = forms.DateField(label=gettext_lazy("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(
        label=gettext_lazy("To, that day included"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    format = forms.ChoiceField(label=gettext_lazy("Format"), choices=FORMATS)

    def clean_since(self) -> datetime | None:
        """The beginning of the day, in the time zone of whoever asks."""
        return _begin(self.cleaned_data["since"])

    def clean_until(self) -> datetime | None:
        """The beginning of the day after."""
        day: date | None = self.cleaned_data["until"]
        return _begin(date.fromordinal(day.toordinal() + 1)) if day else None

    def clean(self) -> dict[str, Any]:
        """From comes before to."""
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and since >= until:
            self.add_error("until", _("This day lies before the first one."))
        return cleaned


class ErasureForm(forms.Form):
    """Whose posts go, and why."""

    channel = forms.ChoiceField(label=gettext_lazy("Channel"))
    author_id = forms.CharField(
        label=gettext_lazy("Account"),
        max_length=500,
        widget=forms.TextInput(attrs={"spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy(
            "The account’s own id on the channel, which stays when a handle changes. The page of a post shows it."
        ),
    )
    why = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("It stands in the receipt and in the audit trail; name no person."),
    )
    sure = forms.BooleanField(label=gettext_lazy("I know that this cannot be undone."))

    def __init__(self, *args: Any, channels: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["channel"]
        if isinstance(field, forms.ChoiceField):
            field.choices = channels


def _begin(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time())) if day else None
