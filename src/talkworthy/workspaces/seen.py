"""What a form showed: so that nobody saves over what they have not seen."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db import models
from django.utils.text import Truncator
from django.utils.translation import gettext as _

LONGEST = 80
"""Characters of a value that is kept now, as the message tells it."""


class SeenForm(forms.BaseForm):
    """A form over what is kept already (`kept`), whose page carries a print of what it showed as `seen`.

    Where somebody else saved in between, it says what is kept now, and to save once more puts one's own in its place.
    `initial` must be what is kept, also when the form is sent. What is sent without a print is taken as it is.
    """

    def __init__(self, *args: Any, kept: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = kept

    @property
    def seen(self) -> str:
        """A print of what is kept; empty where nothing is yet."""
        return print_of(self.initial) if self.kept else ""

    def clean(self) -> dict[str, Any]:
        """Refuse what was written over something else than is kept now."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        told = self.data.get("seen", "")
        if self.kept and told and told != self.seen:
            words = _(
                "Somebody else saved this after you had opened it, and nothing was overwritten. It says now: %(kept)s. "
                "To put yours in its place, save once more."
            )
            self.add_error(None, words % {"kept": "; ".join(self.differing()) or "–"})
        return given

    def differing(self) -> list[str]:
        """What is kept now, of the fields that were filled in otherwise."""
        return [_in_words(str(self.fields[name].label), self.initial.get(name)) for name in self.changed_data]


def print_of(shown: Mapping[str, Any]) -> str:
    """A short print of values by their names."""
    told = sorted((name, _plain(value)) for name, value in shown.items())
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _in_words(label: str, value: Any) -> str:
    plain = value is None or isinstance(value, str | int)
    return f"{label} “{Truncator(_plain(value) or '–').chars(LONGEST)}”" if plain else label


def _plain(value: Any) -> str:
    if isinstance(value, models.Model):
        return str(value.pk)
    if isinstance(value, list | tuple):  # rows come in any order
        return str(sorted(map(_plain, value)))
    return "" if value is None else str(value)
