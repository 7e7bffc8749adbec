"""The form of a step of escalation."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.routing.actions.cases import may_own
from talkworthy.routing.models import Case, EscalationStep, Target
from talkworthy.routing.steps import MOST_MINUTES
from talkworthy.workspaces.models import Member, Team

LEAD = "lead"


class StepForm(forms.Form):
    """After how long what is done, and with whom."""

    target = forms.ChoiceField(label=gettext_lazy("Class"))
    minutes = forms.IntegerField(
        label=gettext_lazy("After minutes of working time"), min_value=1, max_value=MOST_MINUTES
    )
    after = forms.ChoiceField(label=gettext_lazy("Counted"), choices=EscalationStep.After.choices)
    does = forms.ChoiceField(label=gettext_lazy("What is done"), choices=EscalationStep.Does.choices)
    whom = forms.ChoiceField(
        label=gettext_lazy("Whom"),
        required=False,
        help_text=gettext_lazy("Teams can be given a case, not told. Where the class is raised, nobody is asked for."),
    )

    def __init__(
        self,
        *args: Any,
        targets: Sequence[Target],
        members: Sequence[Member],
        teams: Sequence[Team],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._targets = {str(row.pk): row for row in targets}
        self._members = {f"member-{one.pk}": one for one in members if may_own(one)}
        self._teams = {f"team-{one.pk}": one for one in teams}
        self._choices("target", [(key, str(Case.Priority(row.priority).label)) for key, row in self._targets.items()])
        people = [(key, str(one.user)) for key, one in self._members.items()]
        groups = [(key, one.name) for key, one in self._teams.items()]
        self._choices(
            "whom",
            [(LEAD, _("Whoever leads the team of the case")), (_("Members"), people), (_("Teams"), groups)],
        )

    def _choices(self, name: str, choices: Any) -> None:
        field = self.fields[name]
        if not isinstance(field, forms.ChoiceField):
            raise TypeError(name)
        field.choices = choices

    def told(self) -> tuple[Target, dict[str, Any]]:
        """The target, and what `add_step` is told."""
        data = self.cleaned_data
        whom = data["whom"]
        step = {name: data[name] for name in ("minutes", "after", "does")}
        return self._targets[data["target"]], {
            **step,
            "member": self._members.get(whom),
            "team": self._teams.get(whom),
        }
