"""Forms of working hours and of targets."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import holidays
from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.routing.models import Case, Target, WorkingHours
from talkworthy.routing.steps import MOST_MINUTES
from talkworthy.workspaces.forms import zones
from talkworthy.workspaces.seen import SeenForm

WEEKDAYS = (
    gettext_lazy("Monday"),
    gettext_lazy("Tuesday"),
    gettext_lazy("Wednesday"),
    gettext_lazy("Thursday"),
    gettext_lazy("Friday"),
    gettext_lazy("Saturday"),
    gettext_lazy("Sunday"),
)
PROMISES = {
    "first_answer": gettext_lazy("First answer"),
    "next_answer": gettext_lazy("Next answer"),
    "resolution": gettext_lazy("Resolution"),
    "silent_assignee": gettext_lazy("Given to another after"),
}
"""The minutes of a target, as the page calls them."""
ALWAYS = gettext_lazy("Counts around the clock")
DAY = 24 * 60
SPAN = re.compile(r"\s*(\S+?)\s*[-–]\s*(\S+)\s*")
TIME = re.compile(r"(\d{1,2}):(\d{2})")
MOST_DAYS_OFF = 400


class BadShifts(ValueError):
    """A day's shifts cannot be read; the message says which one, and what to write."""


def read_shifts(text: str) -> list[list[int]]:
    """“09:00-12:00, 13:00-17:00” as [from, to] in minutes of the day, in order. Raises BadShifts."""
    spans: list[list[int]] = []
    for place, part in enumerate(text.split(","), 1):
        if not part.strip():
            if text.strip():
                raise BadShifts(_("Shift %(n)s is empty: there is a comma too many.") % {"n": place})
            continue
        spans.append(_span(part.strip(), place))
    spans.sort()
    for (begin, end), (following, last) in pairwise(spans):
        if following < end:
            raise BadShifts(
                _("%(one)s and %(other)s overlap.")
                % {"one": write_shifts([[begin, end]]), "other": write_shifts([[following, last]])}
            )
    return spans


def write_shifts(spans: Sequence[Sequence[int]]) -> str:
    """Shifts as they are written in a field."""
    return ", ".join(
        f"{begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}" for begin, end in sorted(map(tuple, spans))
    )


def _span(part: str, place: int) -> list[int]:
    match = SPAN.fullmatch(part)
    if match is None:
        raise BadShifts(_("Shift %(n)s, “%(text)s”: write it as 09:00-17:00.") % {"n": place, "text": part})
    begin, end = (_minute(word, part, place) for word in match.groups())
    if end <= begin:
        raise BadShifts(
            _(
                "Shift %(n)s, “%(text)s”, ends before it begins. One over midnight is written on both days: "
                "22:00-24:00 here, and 00:00-06:00 on the next."
            )
            % {"n": place, "text": part}
        )
    return [begin, end]


def _minute(word: str, part: str, place: int) -> int:
    match = TIME.fullmatch(word)
    if match is None:
        raise BadShifts(
            _("Shift %(n)s, “%(text)s”: “%(time)s” is no time. Write hours and minutes, as 09:00.")
            % {"n": place, "text": part, "time": word}
        )
    minute = int(match[1]) * 60 + int(match[2])
    if int(match[2]) > 59 or minute > DAY:
        raise BadShifts(
            _("Shift %(n)s, “%(text)s”: “%(time)s” is no time of a day, which ends at 24:00.")
            % {"n": place, "text": part, "time": word}
        )
    return minute


class HoursForm(SeenForm, forms.Form):
    """When a team works: a line a weekday."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    timezone = forms.ChoiceField(label=gettext_lazy("Time zone"), choices=zones)
    country = forms.CharField(
        label=gettext_lazy("Public holidays of"),
        required=False,
        max_length=12,
        help_text=gettext_lazy(
            "Code of a country, as FR, or of a part of one, as DE-BY. Empty: holidays are days like others."
        ),
    )
    days_off = forms.CharField(
        label=gettext_lazy("Further days off"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy("One a line, as 2026-12-24."),
    )
    is_default = forms.BooleanField(
        label=gettext_lazy("For every team without hours of its own"),
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for day, word in enumerate(WEEKDAYS):
            self.fields[f"day_{day}"] = forms.CharField(
                label=word, required=False, max_length=200, widget=forms.TextInput(attrs={"class": "half mono"})
            )
        first = ("name", "timezone", *(f"day_{day}" for day in range(7)))
        self.order_fields(first)

    def clean_country(self) -> str:
        """A code whose holidays are known."""
        country: str = self.cleaned_data["country"].strip()
        code, _dash, part = country.partition("-")
        code = code.upper()
        if not code:
            return ""
        known = holidays.list_supported_countries()
        if code not in known:
            raise forms.ValidationError(
                _("No holidays are known of “%(code)s”. Write the two letters of a country, as FR.") % {"code": code}
            )
        if not _dash:
            return code
        found = next((name for name in known[code] if name.lower() == part.lower()), None)
        if found is None:
            parts = ", ".join(known[code]) or _("none")
            raise forms.ValidationError(
                _("“%(part)s” is no part of %(code)s that is known. These are: %(parts)s.")
                % {"part": part, "code": code, "parts": parts}
            )
        return f"{code}-{found}"

    def clean_days_off(self) -> list[str]:
        """Dates, each once, in order."""
        days = set()
        for place, line in enumerate(self.cleaned_data["days_off"].splitlines(), 1):
            if not line.strip():
                continue
            try:
                days.add(date.fromisoformat(line.strip()))
            except ValueError:
                raise forms.ValidationError(
                    _("Line %(n)s, “%(text)s”, is no date. Write it as 2026-12-24.")
                    % {"n": place, "text": line.strip()[:40]}
                ) from None
        if len(days) > MOST_DAYS_OFF:
            raise forms.ValidationError(_("These are more than %(n)s days.") % {"n": MOST_DAYS_OFF})
        return [day.isoformat() for day in sorted(days)]

    def clean(self) -> dict[str, Any]:
        """The days as `shifts`, a weekday without any left out."""
        data = super().clean() or {}
        shifts: dict[str, list[list[int]]] = {}
        for day in range(7):
            try:
                spans = read_shifts(data.pop(f"day_{day}", ""))
            except BadShifts as error:
                self.add_error(f"day_{day}", str(error))
                continue
            if spans:
                shifts[str(day)] = spans
        if not shifts and not self.errors:
            raise forms.ValidationError(
                _("There is no shift in the week, so nothing would ever be due. Write one, as 09:00-17:00.")
            )
        return {**data, "shifts": shifts}


def fields_of(hours: WorkingHours) -> dict[str, Any]:
    """Working hours as the form shows them."""
    days = {f"day_{day}": write_shifts(hours.shifts.get(str(day), [])) for day in range(7)}
    return {
        "name": hours.name,
        "timezone": hours.timezone,
        "country": hours.country,
        "days_off": "\n".join(hours.days_off),
        "is_default": hours.is_default,
        **days,
    }


class TargetsForm(SeenForm, forms.Form):
    """Minutes by class: a row a class, a field a promise."""

    def __init__(self, *args: Any, held: Mapping[str, Target], **kwargs: Any) -> None:
        super().__init__(*args, kept=True, **kwargs)
        for priority in Case.Priority:
            row = held.get(priority.value)
            for name, word in PROMISES.items():
                label = f"{priority.label}: {word}"
                self.fields[f"{priority.value}-{name}"] = forms.IntegerField(
                    label=label,
                    required=False,
                    min_value=1,
                    max_value=MOST_MINUTES,
                    initial=getattr(row, name) if row else None,
                    widget=forms.NumberInput(attrs={"class": "number-input", "aria-label": label}),
                )
            label = f"{priority.label}: {ALWAYS}"
            self.fields[f"{priority.value}-around_the_clock"] = forms.BooleanField(
                label=label,
                required=False,
                initial=bool(row and row.around_the_clock),
                widget=forms.CheckboxInput(attrs={"aria-label": label}),
            )
        self.initial = {name: field.initial for name, field in self.fields.items()}

    def table(self) -> list[tuple[str, list[tuple[str, forms.BoundField]], forms.BoundField]]:
        """A class, its minutes with what they are, and whether they count around the clock."""
        return [
            (
                str(priority.label),
                [(str(word), self[f"{priority.value}-{name}"]) for name, word in PROMISES.items()],
                self[f"{priority.value}-around_the_clock"],
            )
            for priority in Case.Priority
        ]

    def rows(self) -> dict[str, dict[str, Any]]:
        """What was filled in, by class."""
        names = (*PROMISES, "around_the_clock")
        return {
            priority.value: {name: self.cleaned_data[f"{priority.value}-{name}"] for name in names}
            for priority in Case.Priority
        }
