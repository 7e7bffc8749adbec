"""The guided form of a source: its fields are the settings that the connector declares."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.forms import BoundField
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.connectors.contract import Connector, Kind, Setting
from talkworthy.listening.models import Source

PACES = (
    (60, gettext_lazy("Every minute")),
    (300, gettext_lazy("Every 5 minutes")),
    (900, gettext_lazy("Every 15 minutes")),
    (3600, gettext_lazy("Every hour")),
    (21600, gettext_lazy("Every 6 hours")),
    (86400, gettext_lazy("Once a day")),
)

BEFORE = "setting_"
"""What stands before the name of a setting, so that it is never taken for a field of the source."""

RADIOS = 4
"""Up to so many choices are shown all at once."""


class Lines(forms.CharField):
    """One thing a line; cleaned to a list."""

    widget = forms.Textarea

    def clean(self, value: Any) -> Any:
        """The lines that say something."""
        return [line.strip() for line in str(super().clean(value)).splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        """A list as lines."""
        return "\n".join(map(str, value)) if isinstance(value, list | tuple) else value


class Address(forms.CharField):
    """An address; https is taken for granted where no scheme is given."""

    widget = forms.URLInput

    def clean(self, value: Any) -> Any:
        """With its scheme."""
        text = str(super().clean(value)).strip()
        return f"https://{text}" if text and "://" not in text else text


class SourceForm(forms.Form):
    """A source of one connector, to be made or to be changed."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=120, help_text=gettext_lazy("As you and your colleagues call it.")
    )
    keep = forms.ChoiceField(
        label=gettext_lazy("What is stored"),
        choices=Source.Keep.choices,
        widget=forms.RadioSelect,
        initial=Source.Keep.ALL,
    )
    sample_percent = forms.FloatField(
        label=gettext_lazy("Sample of the rest, in percent"),
        min_value=0,
        max_value=100,
        initial=1,
        required=False,
        help_text=gettext_lazy("Only with a sample: it shows what the monitors miss."),
    )
    interval = forms.TypedChoiceField(label=gettext_lazy("How often it looks"), choices=PACES, coerce=int, initial=300)

    def __init__(self, *args: Any, connector: Connector, source: Source | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connector, self.source = connector, source
        known = source.settings if source else {}
        for setting in connector.settings:
            self.fields[BEFORE + setting.name] = _field(setting, known, has_secret=source is not None)
        if source is not None:
            self._start_from(source)
        else:
            self.fields["name"].initial = connector.title

    def clean_sample_percent(self) -> float:
        """One percent where nothing is said."""
        given: float | None = self.cleaned_data["sample_percent"]
        return 1.0 if given is None else given

    @property
    def first(self) -> list[BoundField]:
        """The settings that make the source what it is."""
        return [self[BEFORE + setting.name] for setting in self.connector.settings if not _is_further(setting)]

    @property
    def further(self) -> list[BoundField]:
        """The settings that most people leave alone."""
        return [self[BEFORE + setting.name] for setting in self.connector.settings if _is_further(setting)]

    @property
    def opens_further(self) -> bool:
        """Whether a further setting is wrong, so that it must be seen."""
        return any(field.errors for field in self.further)

    @property
    def settings(self) -> dict[str, Any]:
        """The cleaned settings that are not secret."""
        return {name: value for name, value in self._settings() if name not in self._secret_names()}

    @property
    def secrets(self) -> dict[str, Any]:
        """The cleaned secrets that were given."""
        return {name: value for name, value in self._settings() if name in self._secret_names() and value}

    @property
    def of_the_source(self) -> dict[str, Any]:
        """The cleaned fields that every source has."""
        return {name: self.cleaned_data[name] for name in ("name", "keep", "sample_percent", "interval")}

    def _settings(self) -> Sequence[tuple[str, Any]]:
        named = [(setting.name, self.cleaned_data.get(BEFORE + setting.name)) for setting in self.connector.settings]
        return [(name, value) for name, value in named if value is not None and value != [] and value != ""]

    def _secret_names(self) -> set[str]:
        return {setting.name for setting in self.connector.settings if setting.kind is Kind.SECRET}

    def _start_from(self, source: Source) -> None:
        for name in ("name", "keep", "sample_percent", "interval"):
            self.fields[name].initial = getattr(source, name)
        pace = self.fields["interval"]
        if isinstance(pace, forms.TypedChoiceField) and source.interval not in dict(PACES):
            own = _("Every %(seconds)d seconds") % {"seconds": source.interval}
            pace.choices = [(source.interval, own), *PACES]


def _is_further(setting: Setting) -> bool:
    if setting.required or setting.kind in {Kind.CHOICE, Kind.SECRET, Kind.LINES, Kind.FOLDER}:
        return False
    return setting.kind in {Kind.NUMBER, Kind.FLAG} or setting.default not in (None, "")


def _field(setting: Setting, known: Mapping[str, Any], *, has_secret: bool) -> forms.Field:
    given: dict[str, Any] = {
        "label": setting.label,
        "required": setting.required and not (has_secret and setting.kind is Kind.SECRET),
        "initial": known.get(setting.name, setting.default),
        "help_text": _help(setting, has_secret=has_secret),
    }
    if setting.kind is Kind.FLAG:
        return forms.BooleanField(**{**given, "required": False})
    if setting.kind is Kind.NUMBER:
        return (forms.FloatField if isinstance(setting.default, float) else forms.IntegerField)(**given)
    if setting.kind is Kind.CHOICE:
        few = len(setting.choices) <= RADIOS
        return forms.ChoiceField(**given, choices=setting.choices, widget=forms.RadioSelect if few else forms.Select)
    if setting.kind is Kind.LINES:
        return Lines(**given, widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}))
    if setting.kind is Kind.SECRET:
        hidden = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})
        return forms.CharField(**{**given, "initial": None}, max_length=4000, widget=hidden)
    if setting.kind is Kind.URL:
        return Address(**given, max_length=2000, widget=forms.URLInput(attrs={"inputmode": "url"}))
    return forms.CharField(**given, max_length=2000)


def _help(setting: Setting, *, has_secret: bool) -> SafeString:
    """Help and example, safe to show."""
    parts = [escape(setting.help)] if setting.help else []
    if setting.kind is Kind.SECRET:
        stored = _("Stored encrypted. Leave it empty to keep the stored one.") if has_secret else _("Stored encrypted.")
        parts.append(escape(stored))
    if setting.example:
        lines = setting.example.splitlines()
        example = format_html("<code>{}</code>", lines[0] if len(lines) == 1 else " ↵ ".join(lines))
        parts.append(format_html(_("For example {}"), example))
    return SafeString(" ".join(parts))
