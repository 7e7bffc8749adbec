"""The form of an alert rule: what it watches, and how easily it speaks."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from talkworthy.listening.models import AlertRule
from talkworthy.listening.selectors.alerts import watchable
from talkworthy.workspaces.models import Member

CHANCES = (
    (0.01, gettext_lazy("Often: what chance brings once in 100 hours")),
    (0.001, gettext_lazy("As usual: once in 1,000 hours, six weeks")),
    (0.00001, gettext_lazy("Seldom: once in 100,000 hours")),
)

GAPS = (
    (2.0, gettext_lazy("Early: twice the longest usual gap")),
    (3.0, gettext_lazy("As usual: three times the longest usual gap")),
    (6.0, gettext_lazy("Late: six times the longest usual gap")),
)

WEEKS = (
    (0.001, gettext_lazy("Seldom: what chance brings to a figure once in 1,000 weeks")),
    (0.0025, gettext_lazy("As usual: once in 400 weeks")),
)


class RuleForm(forms.Form):
    """A rule of one kind; the kind stays."""

    threshold = forms.TypedChoiceField(
        label=gettext_lazy("How easily it speaks"), coerce=float, widget=forms.RadioSelect
    )
    by_mail = forms.BooleanField(label=gettext_lazy("Also by e-mail, to the owner"), required=False)
    enabled = forms.BooleanField(label=gettext_lazy("On"), required=False, initial=True)

    def __init__(self, *args: Any, kind: str, viewer: Member, rule: AlertRule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        monitors, sources = watchable(viewer=viewer)
        self.kind = kind
        more: dict[str, forms.Field] = {}
        if kind == AlertRule.Kind.SILENT:
            more["source"] = forms.ModelChoiceField(
                sources, label=gettext_lazy("Source"), required=False, empty_label=gettext_lazy("Every source")
            )
        elif kind != AlertRule.Kind.DRIFT:
            more["monitor"] = forms.ModelChoiceField(
                monitors, label=gettext_lazy("Monitor"), required=False, empty_label=gettext_lazy("Every monitor")
            )
        if kind == AlertRule.Kind.UNUSUAL:
            more["minimum"] = forms.IntegerField(
                label=gettext_lazy("At least so many mentions in the hour"), min_value=1, max_value=1_000_000, initial=5
            )
        self.fields = {**more, **self.fields}
        choices = {AlertRule.Kind.UNUSUAL: CHANCES, AlertRule.Kind.DRIFT: WEEKS}.get(AlertRule.Kind(kind), GAPS)
        self._offer(choices, rule)
        if rule is not None:
            for name, field in self.fields.items():
                field.initial = getattr(rule, name)
        else:
            self.fields["threshold"].initial = choices[1][0]

    def _offer(self, choices: tuple[tuple[float, Any], ...], rule: AlertRule | None) -> None:
        field = self.fields["threshold"]
        if not isinstance(field, forms.TypedChoiceField):
            return
        own = [] if rule is None or rule.threshold in dict(choices) else [(rule.threshold, str(rule.threshold))]
        field.choices = [*choices, *own]
