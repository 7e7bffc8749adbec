"""The monitor's form. What is wrong with its query is said with the place and the fix."""

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from talkworthy.listening.charts import COLOURS
from talkworthy.listening.models import Monitor
from talkworthy.query import check
from talkworthy.workspaces.models import Member, Workspace
from talkworthy.workspaces.seen import SeenForm

LONGEST_QUERY = 20_000

COLOUR_NAMES = {
    "blue": _("blue"),
    "teal": _("teal"),
    "green": _("green"),
    "cyan": _("cyan"),
    "amber": _("amber"),
    "orange": _("orange"),
    "red": _("red"),
    "pink": _("pink"),
    "purple": _("purple"),
    "slate": _("slate"),
}


if TYPE_CHECKING:
    MemberField = forms.ModelChoiceField[Member]
else:
    MemberField = forms.ModelChoiceField


class Members(MemberField):
    """Members by their users' names."""

    def label_from_instance(self, obj: Any) -> str:
        """The name that is shown."""
        return str(obj.user)


class MonitorForm(SeenForm, forms.Form):
    """Name, kind, colour, owner and query of a monitor."""

    name = forms.CharField(label=_("Name"), max_length=80)
    kind = forms.ChoiceField(label=_("What it is about"), choices=Monitor.Kind.choices, initial=Monitor.Kind.BRAND)
    colour = forms.ChoiceField(
        label=_("Colour"),
        choices=[(name, COLOUR_NAMES[name]) for name in COLOURS],
        initial="blue",
        widget=forms.RadioSelect,
    )
    owner = Members(label=_("Owner"), queryset=Member.objects.none(), required=False, empty_label=_("nobody"))
    query = forms.CharField(
        label=_("Query"),
        max_length=LONGEST_QUERY,
        widget=forms.Textarea(
            attrs={"rows": 6, "spellcheck": "false", "autocapitalize": "off", "class": "query-box", "dir": "auto"}
        ),
        help_text=_('Words, "phrases", AND, OR, NOT, NEAR/5, fields such as language:en.'),
    )

    def __init__(self, *args: Any, workspace: Workspace, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.members = (
            Member.objects.filter(workspace=workspace).select_related("user").order_by("user__name", "user__email")
        )
        cast(Members, self.fields["owner"]).queryset = self.members

    def clean_name(self) -> str:
        """Blanks around a name are nobody's wish."""
        return str(self.cleaned_data["name"]).strip()

    def clean_query(self) -> str:
        """A query that can be used as a monitor; its problems are drawn beside the box."""
        query = str(self.cleaned_data["query"]).strip()
        errors = check(query, stage="monitor").errors
        if errors:
            raise forms.ValidationError([f"{error.code}: {error.message}" for error in errors])
        return query
