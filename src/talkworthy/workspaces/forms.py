"""Forms of a workspace's settings and of one's own profile."""

import re
from datetime import date, datetime, time
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.workspaces.models import User, Workspace
from talkworthy.workspaces.permissions import SCOPES, Role
from talkworthy.workspaces.seen import SeenForm

HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?"
)

ROLES = {
    Role.VIEWER: gettext_lazy("Viewer: reads everything"),
    Role.AGENT: gettext_lazy("Agent: also marks mentions, works on cases and on people"),
    Role.LEAD: gettext_lazy("Lead: what agents do; also approves replies, and edits routing and monitors"),
    Role.ANALYST: gettext_lazy("Analyst: reads everything, marks mentions, edits monitors and sources, and exports"),
    Role.ADMINISTRATOR: gettext_lazy("Administrator: also members, tokens, erasure and settings"),
}

SCOPE_HELP = {
    "posts:read": gettext_lazy("read posts"),
    "posts:write": gettext_lazy("bring posts in"),
    "mentions:read": gettext_lazy("read mentions"),
    "mentions:write": gettext_lazy("mark mentions and correct annotations"),
    "monitors:read": gettext_lazy("read monitors"),
    "monitors:write": gettext_lazy("create and change monitors"),
    "sources:read": gettext_lazy("read sources and their health"),
    "sources:write": gettext_lazy("create and change sources"),
    "series:read": gettext_lazy("read counts over time"),
    "cases:read": gettext_lazy("read cases with their conversations, history and notes"),
    "cases:write": gettext_lazy("open and change cases, tie them, and note on them"),
    "people:read": gettext_lazy("read people and what is known of them"),
    "people:write": gettext_lazy("keep and change people, link their accounts, merge and split them"),
    "drafts:read": gettext_lazy("read drafts and snippets"),
    "drafts:write": gettext_lazy("write drafts where a machine may, ask for approval, change snippets; never send"),
    "rules:read": gettext_lazy("read the rules of routing and targets, and replays"),
    "rules:write": gettext_lazy("make, change, switch and replay rules of routing, and set targets"),
}


def zones() -> list[tuple[str, str]]:
    """Every time zone with a place in its name, and UTC."""
    places = sorted(
        zone
        for zone in available_timezones()
        if "/" in zone and not zone.startswith(("Etc/", "posix/", "right/", "SystemV/"))
    )
    return [("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in places)]


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg] # it takes none when it runs
    """One's own name, time zone and theme."""

    timezone = forms.ChoiceField(label=gettext_lazy("Time zone"), choices=zones)

    class Meta:
        model = User
        fields = ("name", "timezone", "theme")


class WorkspaceForm(SeenForm, forms.ModelForm):  # type: ignore[type-arg] # it takes none when it runs
    """What a workspace is called, how long it keeps posts, and what its sources may reach."""

    timezone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=zones,
        help_text=gettext_lazy("New members begin with it; each may choose their own."),
    )
    retention_days = forms.IntegerField(
        label=gettext_lazy("Keep posts for (days)"),
        required=False,
        min_value=1,
        max_value=36_500,
        help_text=gettext_lazy(
            "Older posts are removed for good by the next upkeep. Empty: kept for ever. What channels sent, as it "
            "came, is kept for 14 days either way."
        ),
    )
    allow_hosts = forms.CharField(
        label=gettext_lazy("Private hosts that sources may reach"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "class": "mono"}),
        help_text=gettext_lazy(
            "One host, or host:port, a line. Addresses inside your own network are refused unless they stand here, "
            "so that nobody can use a source to look around in it."
        ),
    )

    class Meta:
        model = Workspace
        fields = ("name", "timezone", "retention_days", "allow_hosts")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["allow_hosts"] = "\n".join(self.instance.allow_hosts)

    def clean_allow_hosts(self) -> list[str]:
        """A list of hosts; each line is one."""
        hosts = [line.strip().lower() for line in self.cleaned_data["allow_hosts"].splitlines() if line.strip()]
        for host in hosts:
            if not HOST.fullmatch(host):
                raise forms.ValidationError(
                    _("“%(host)s” is not a host. Write it as intranet.example.org or 10.0.0.5:8080, without http://.")
                    % {"host": host}
                )
        return list(dict.fromkeys(hosts))


class NewWorkspaceForm(forms.Form):
    """A workspace begins with a name."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=120,
        help_text=gettext_lazy("The organisation, brand or team that listens."),
    )


class MemberForm(forms.Form):
    """Somebody who joins."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=120, required=False)
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=[(role.value, words) for role, words in ROLES.items()])


class RoleForm(forms.Form):
    """Another role."""

    role = forms.ChoiceField(choices=[(role.value, role.value.capitalize()) for role in ROLES])


class TokenForm(forms.Form):
    """A key for programs."""

    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=80, help_text=gettext_lazy("What will use it, such as “nightly export”.")
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes"),
        choices=[(scope, scope) for scope in SCOPES],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("Give only what is needed. It never allows more than you may do yourself."),
    )
    expires = forms.DateField(
        label=gettext_lazy("Expires"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=gettext_lazy("At the end of this day; empty: never."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = self.fields["scopes"]
        if isinstance(scopes, forms.MultipleChoiceField):
            scopes.choices = [(scope, f"{scope} – {SCOPE_HELP[scope]}") for scope in SCOPES]

    def clean_expires(self) -> datetime | None:
        """The end of the day, in the time zone of whoever asks."""
        day: date | None = self.cleaned_data["expires"]
        if day is None:
            return None
        end = timezone.make_aware(datetime.combine(day, time(23, 59, 59)))
        if end <= timezone.now():
            raise forms.ValidationError(_("This day is over already. Choose one to come."))
        return end


class TrailForm(forms.Form):
    """What of the audit trail is shown."""

    verb = forms.CharField(required=False, max_length=40)
    noun = forms.CharField(required=False, max_length=40)
    by = forms.IntegerField(required=False)
    words = forms.CharField(required=False, max_length=200)
    before = forms.IntegerField(required=False)
