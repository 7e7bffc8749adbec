"""Forms of endpoints."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from talkworthy.notifying.events import EVENT_TYPES
from talkworthy.workspaces.seen import SeenForm


def _events() -> list[tuple[str, str]]:
    return [(kind.name, f"{kind.name}: {kind.when}") for kind in EVENT_TYPES if kind.name != "test"]


class EndpointForm(SeenForm, forms.Form):
    """Where a program listens, and to what."""

    name = forms.CharField(label=_("Name"), max_length=80)
    url = forms.URLField(
        label=_("Address"),
        max_length=500,
        assume_scheme="https",
        help_text=_(
            "It gets a signed POST for each event. An address in a private network is refused, unless an "
            "administrator let its host through under Settings, General."
        ),
    )
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=_events,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all, also those that come later."),
    )
    enabled = forms.BooleanField(label=_("On"), required=False, initial=True)

    def __init__(self, *args: Any, is_new: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_new:
            del self.fields["enabled"]
