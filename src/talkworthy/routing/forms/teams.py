"""Forms of teams, and of what a member takes on."""

import re
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.listening.forms.monitors import COLOUR_NAMES
from talkworthy.routing.models import Availability, WorkingHours
from talkworthy.workspaces.models import Member, Team
from talkworthy.workspaces.seen import SeenForm

LANGUAGE = re.compile(r"[a-z]{2,3}")
MOST_WORDS = 50
LONGEST_SKILL = 60


class NewTeamForm(forms.Form):
    """A team begins with a name."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    about = forms.CharField(
        label=gettext_lazy("What it takes care of"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    colour = forms.ChoiceField(label=gettext_lazy("Colour"), choices=list(COLOUR_NAMES.items()), initial="slate")


class TeamForm(SeenForm, NewTeamForm):
    """A team with its hours, its members and who leads it."""

    hours = forms.ModelChoiceField(
        WorkingHours.objects.none(),
        label=gettext_lazy("Working hours"),
        required=False,
        empty_label=gettext_lazy("Those of every team without its own"),
    )
    members = forms.ModelMultipleChoiceField(
        Member.objects.none(), label=gettext_lazy("Members"), required=False, widget=forms.CheckboxSelectMultiple
    )
    leads = forms.ModelMultipleChoiceField(
        Member.objects.none(), label=gettext_lazy("Leads"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, team: Team, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        here = {"workspace_id": team.workspace_id}
        for name in ("members", "leads"):
            self._chooses(name).queryset = Member.objects.filter(**here)
        self._chooses("hours").queryset = WorkingHours.objects.filter(**here)

    def _chooses(self, name: str) -> "forms.ModelChoiceField[Any]":
        field = self.fields[name]
        if not isinstance(field, forms.ModelChoiceField):
            raise TypeError(name)
        return field

    def chosen(self, name: str) -> set[str]:
        """The numbers that are ticked, as sent or as they were."""
        return {str(value) for value in self[name].value() or ()}


class AvailabilityForm(forms.Form):
    """Whether one is there, and what one takes on."""

    state = forms.ChoiceField(label=gettext_lazy("I am"), choices=Availability.State.choices, widget=forms.RadioSelect)
    away_until = forms.DateTimeField(
        label=gettext_lazy("Until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=gettext_lazy("From then on cases come again by themselves. Empty: until you say so."),
    )
    capacity = forms.IntegerField(
        label=gettext_lazy("Open cases at once"),
        min_value=0,
        max_value=10_000,
        help_text=gettext_lazy("No more are given to you by themselves while you have so many."),
    )
    languages = forms.CharField(
        label=gettext_lazy("Languages"),
        required=False,
        max_length=400,
        help_text=gettext_lazy("Codes with commas between them, as: en, de, fr."),
    )
    skills = forms.CharField(
        label=gettext_lazy("Skills"),
        required=False,
        max_length=2_000,
        help_text=gettext_lazy(
            "What you know well, with commas between, as: billing, refunds. "
            "A case that asks for skills goes to who has them all."
        ),
    )

    def clean_away_until(self) -> datetime | None:
        """A time to come, where one is away; otherwise it says nothing."""
        until: datetime | None = self.cleaned_data["away_until"]
        if self.cleaned_data.get("state") == Availability.State.HERE:
            return None
        if until is not None and until <= timezone.now():
            raise forms.ValidationError(_("This time is over already. Choose one to come, or leave it empty."))
        return until

    def clean_languages(self) -> list[str]:
        """Codes, each once."""
        codes = _words(self.cleaned_data["languages"].lower())
        for code in codes:
            if not LANGUAGE.fullmatch(code):
                raise forms.ValidationError(
                    _("“%(code)s” is no code of a language. Write two or three letters, as en.") % {"code": code}
                )
        return codes

    def clean_skills(self) -> list[str]:
        """Words, each once."""
        skills = _words(self.cleaned_data["skills"])
        long = next((skill for skill in skills if len(skill) > LONGEST_SKILL), None)
        if long is not None:
            raise forms.ValidationError(
                _("“%(skill)s…” is longer than %(n)s characters.") % {"skill": long[:20], "n": LONGEST_SKILL}
            )
        if len(skills) > MOST_WORDS:
            raise forms.ValidationError(_("These are more than %(n)s skills.") % {"n": MOST_WORDS})
        return skills


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
