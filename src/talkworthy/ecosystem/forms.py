"""The forms of touchpoints and promises. What is wrong with a query is said with its code and the fix."""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.query import check
from talkworthy.workspaces.models import Member, Team, Workspace
from talkworthy.workspaces.seen import SeenForm

LONGEST_QUERY = 20_000
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")

COLOURS = {
    "blue": _("blue"),
    "orange": _("orange"),
    "teal": _("teal"),
    "purple": _("purple"),
    "pink": _("pink"),
    "green": _("green"),
    "amber": _("amber"),
    "slate": _("slate"),
    "red": _("red"),
    "cyan": _("cyan"),
}

if TYPE_CHECKING:
    MemberField = forms.ModelChoiceField[Member]
    TeamField = forms.ModelChoiceField[Team]
    PromiseModelForm = forms.ModelForm[Promise]
else:
    MemberField = forms.ModelChoiceField
    TeamField = forms.ModelChoiceField
    PromiseModelForm = forms.ModelForm


class Members(MemberField):
    """Members by their users' names."""

    def label_from_instance(self, obj: Any) -> str:
        """The name that is shown."""
        return str(obj.user)


class TouchpointForm(SeenForm, forms.Form):
    """Name, kind, owner, team and query of a touchpoint."""

    name = forms.CharField(label=_("Name"), max_length=80)
    kind = forms.ChoiceField(
        label=_("What people meet there"), choices=Touchpoint.Kind.choices, initial=Touchpoint.Kind.PRODUCT
    )
    about = forms.CharField(label=_("What it is"), required=False, widget=forms.Textarea(attrs={"rows": 2}))
    owner = Members(label=_("Who answers for it"), queryset=Member.objects.none(), required=False)
    team = TeamField(label=_("Team"), queryset=Team.objects.none(), required=False)
    colour = forms.ChoiceField(
        label=_("Colour"), choices=list(COLOURS.items()), initial="teal", widget=forms.RadioSelect
    )
    query = forms.CharField(label=_("Query"), max_length=LONGEST_QUERY)

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner, team = cast(Members, self.fields["owner"]), cast(TeamField, self.fields["team"])
        owner.queryset = (
            Member.objects.filter(workspace=workspace).select_related("user").order_by("user__name", "user__email")
        )
        team.queryset = Team.objects.filter(workspace=workspace, deleted_at=None).order_by("name")
        owner.empty_label, team.empty_label = _("nobody"), _("no team")

    def clean_query(self) -> str:
        """A query that can be used as a monitor."""
        return _usable(str(self.cleaned_data["query"]))


class PromiseForm(SeenForm, PromiseModelForm):
    """The words of a promise, where it was made, and while it holds."""

    address = forms.URLField(label=_("Address"), max_length=500, required=False, assume_scheme="https")

    class Meta:
        model = Promise
        fields = ("words", "made_in", "address", "valid_from", "valid_to", "query")
        widgets = {
            "words": forms.Textarea(attrs={"rows": 3, "dir": "auto"}),
            "valid_from": DATE,
            "valid_to": DATE,
            "query": forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "query-box", "dir": "auto"}),
        }
        help_texts = {
            "words": _("As they were said: “Delivered in two days”."),
            "made_in": _("A page, a letter, a campaign, a contract."),
            "valid_to": _("Empty while it holds without an end."),
            "query": _("The query of what people say when they speak of this promise."),
        }

    def clean_query(self) -> str:
        """A query that can be used as a monitor, or none."""
        query = str(self.cleaned_data["query"]).strip()
        return _usable(query) if query else ""

    def clean(self) -> dict[str, Any]:
        """A promise ends on the day it begins, or later."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        begins, ends = given.get("valid_from"), given.get("valid_to")
        if begins and ends and ends < begins:
            self.add_error("valid_to", _("A promise ends on the day it begins, or later."))
        return given


def _usable(words: str) -> str:
    query = words.strip()
    errors = check(query, stage="monitor").errors
    if errors:
        raise forms.ValidationError([f"{error.code}: {error.message}" for error in errors])
    return query
