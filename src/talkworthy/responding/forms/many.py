"""The form of a change of every case that a filter finds."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.responding.many import DOES
from talkworthy.routing.models import Case
from talkworthy.workspaces.models import Member, Team

SPANS = (
    ("3600", gettext_lazy("one hour")),
    ("14400", gettext_lazy("four hours")),
    ("86400", gettext_lazy("a day")),
    ("259200", gettext_lazy("three days")),
    ("604800", gettext_lazy("a week")),
)


class ManyForm(forms.Form):
    """What is done with all of them; of the other fields that one counts which it needs."""

    do = forms.ChoiceField(label=gettext_lazy("What is done"), choices=list(DOES.items()))
    owner = forms.ChoiceField(label=gettext_lazy("Assign to"), required=False)
    priority = forms.ChoiceField(label=gettext_lazy("Class to set"), choices=Case.Priority.choices, required=False)
    tag = forms.CharField(label=gettext_lazy("Tag to add"), max_length=60, required=False)
    span = forms.ChoiceField(label=gettext_lazy("Snooze for"), choices=SPANS, required=False, initial="86400")

    def __init__(self, *args: Any, owners: Sequence[Member], teams: Sequence[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["owner"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [
                ("", _("nobody")),
                (_("Members"), [(f"member-{one.pk}", str(one.user)) for one in owners]),
                (_("Teams"), [(f"team-{one.pk}", one.name) for one in teams]),
            ]

    def told(self) -> tuple[str, dict[str, str]]:
        """What is done, and what it is told."""
        data = self.cleaned_data
        fields = {
            "assign": ("to", "owner"),
            "priority": ("to", "priority"),
            "tag": ("to", "tag"),
            "snooze": ("for", "span"),
        }
        name, field = fields.get(data["do"], ("", ""))
        return data["do"], {name: data[field]} if name else {}
