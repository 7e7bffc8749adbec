"""Forms of how a workspace answers."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from talkworthy.connectors.contract import Sending
from talkworthy.connectors.registry import connectors
from talkworthy.responding.models import ApprovalRule
from talkworthy.routing.models import Case
from talkworthy.routing.playbook import default_tree
from talkworthy.workspaces.models import Member, Team
from talkworthy.workspaces.seen import SeenForm

VISIBILITIES = (
    ("public", gettext_lazy("Public")),
    ("unlisted", gettext_lazy("Public, not listed")),
    ("members", gettext_lazy("Followers or members")),
    ("private", gettext_lazy("Private")),
)


class ApprovalRuleForm(SeenForm, forms.Form):
    """Which drafts must be approved, by how many and whom."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=120)
    visibility = forms.MultipleChoiceField(
        label=gettext_lazy("Who sees the answer"),
        choices=VISIBILITIES,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Nothing marked: all."),
    )
    priority = forms.MultipleChoiceField(
        label=gettext_lazy("Class of the case"),
        choices=Case.Priority.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    channel = forms.MultipleChoiceField(
        label=gettext_lazy("Channel"), required=False, widget=forms.CheckboxSelectMultiple
    )
    outcome = forms.MultipleChoiceField(
        label=gettext_lazy("Outcome of triage"), required=False, widget=forms.CheckboxSelectMultiple
    )
    machine = forms.TypedChoiceField(
        label=gettext_lazy("Written by"),
        choices=[
            ("", gettext_lazy("Persons or machines")),
            ("yes", gettext_lazy("Machines")),
            ("no", gettext_lazy("Persons alone")),
        ],
        required=False,
    )
    count = forms.IntegerField(label=gettext_lazy("Approvals needed"), min_value=1, max_value=9, initial=1)
    team = forms.ModelChoiceField(
        Team.objects.none(),
        label=gettext_lazy("Who approves"),
        required=False,
        empty_label=gettext_lazy("Anybody who may approve drafts"),
    )
    by_another = forms.BooleanField(
        label=gettext_lazy("Only by somebody else than the writer"), required=False, initial=True
    )
    enabled = forms.BooleanField(label=gettext_lazy("The rule is on"), required=False, initial=True)

    def __init__(self, *args: Any, viewer: Member, rule: ApprovalRule | None = None, **kwargs: Any) -> None:
        if rule is not None:
            condition = rule.condition
            machine = condition.get("machine")
            kwargs["initial"] = {
                **condition,
                "name": rule.name,
                "count": rule.count,
                "team": rule.team,
                "by_another": rule.by_another,
                "enabled": rule.enabled,
                "machine": "" if machine is None else "yes" if machine else "no",
            }
        super().__init__(*args, kept=rule is not None, **kwargs)
        self.fields["team"].queryset = Team.objects.filter(  # type: ignore[attr-defined]
            workspace_id=viewer.workspace_id, deleted_at=None
        )
        self.fields["channel"].choices = [  # type: ignore[attr-defined]
            (name, found.title) for name, found in connectors().items() if isinstance(found, Sending)
        ]
        self.fields["outcome"].choices = [  # type: ignore[attr-defined]
            (name, outcome["title"]) for name, outcome in default_tree()["outcomes"].items() if outcome.get("answers")
        ]

    def values(self) -> dict[str, Any]:
        """What the action takes."""
        given = self.cleaned_data
        condition: dict[str, Any] = {
            name: given[name] for name in ("visibility", "priority", "channel", "outcome") if given[name]
        }
        if given["machine"]:
            condition["machine"] = given["machine"] == "yes"
        kept = ("name", "count", "team", "by_another", "enabled")
        return {"condition": condition, **{name: given[name] for name in kept}}


class DrafterForm(SeenForm, forms.Form):
    """An OpenAI-compatible endpoint."""

    url = forms.URLField(
        label=gettext_lazy("Address"),
        max_length=500,
        assume_scheme="https",
        help_text=gettext_lazy(
            "The base address, such as https://api.example/v1. A model on a private address must be among the hosts "
            "that the workspace may reach."
        ),
    )
    model = forms.CharField(label=gettext_lazy("Model"), max_length=120)
    token = forms.CharField(
        label=gettext_lazy("Token"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Left empty, the one that is kept stays."),
    )
    instructions = forms.CharField(
        label=gettext_lazy("Instructions"), required=False, widget=forms.Textarea(attrs={"rows": 5})
    )
    enabled = forms.BooleanField(label=gettext_lazy("The rule is on"), required=False)


class MannerForm(SeenForm, forms.Form):
    """How the workspace speaks."""

    disclosure = forms.CharField(
        label=gettext_lazy("Disclosure line"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Under everything that everybody can read, such as: {name}, {workspace}"),
    )
    machine_disclosure = forms.CharField(
        label=gettext_lazy("Disclosure of machine drafts"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Under everything that a machine drafted, also in private."),
    )
    guidance = forms.CharField(
        label=gettext_lazy("How we speak"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy("Shown beside the composer, and told to the drafter."),
    )
    send_delay_seconds = forms.IntegerField(
        label=gettext_lazy("Seconds in which a reply can be recalled"), min_value=0, max_value=600, initial=10
    )


class SnippetForm(SeenForm, forms.Form):
    """A snippet and its texts, one a language."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    shortcut = forms.SlugField(
        label=gettext_lazy("Shortcut"),
        max_length=40,
        help_text=gettext_lazy("Typed after ; in the composer, such as ;thanks"),
    )
    team = forms.ModelChoiceField(
        Team.objects.none(), label=gettext_lazy("Team"), required=False, empty_label=gettext_lazy("Everybody")
    )

    def __init__(self, *args: Any, viewer: Member, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].queryset = Team.objects.filter(  # type: ignore[attr-defined]
            workspace_id=viewer.workspace_id, deleted_at=None
        )

    def differing(self) -> list[str]:
        """The texts as well, which are no fields of the form."""
        return [*super().differing(), *(f"{language} “{text}”" for language, text in self.initial.get("texts", ()))]
