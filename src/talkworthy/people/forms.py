"""Forms over people."""

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.people.labels import ATTRIBUTES
from talkworthy.people.models import CrmAccount, Person, PersonRole, Segment
from talkworthy.people.segments import people_query
from talkworthy.query import QueryError
from talkworthy.workspaces.models import Workspace
from talkworthy.workspaces.seen import SeenForm

KEPT = timedelta(days=730)
"""How long a record is kept unless somebody says otherwise."""
DATE = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
QUERY = {"spellcheck": "false", "class": "mono", "autocapitalize": "none"}


class BasisForm(forms.Form):
    """On what basis a record exists, and until when."""

    basis = forms.ChoiceField(
        label=gettext_lazy("Basis (GDPR Article 6)"), choices=Person.Basis.choices, initial=Person.Basis.INTEREST
    )
    basis_note = forms.CharField(
        label=gettext_lazy("What the basis rests on"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Such as: asked us for help on 4 March; contract 4711; form of consent in folder 12."),
    )
    retain_until = forms.DateField(label=gettext_lazy("Kept until"), widget=DATE)
    retention = forms.ChoiceField(
        label=gettext_lazy("When that day comes"), choices=Person.Retention.choices, initial=Person.Retention.ASK
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["retain_until"].initial = timezone.localdate() + KEPT

    def clean_retain_until(self) -> datetime:
        """The end of that day, where whoever asks is."""
        return end_of(self.cleaned_data["retain_until"])


class PersonForm(SeenForm, BasisForm):
    """A person: name, organisation, and why the record may exist."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    organisation = forms.CharField(
        label=gettext_lazy("Organisation"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("One that is not known yet is added."),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    notice = forms.ChoiceField(
        label=gettext_lazy("Do they know of it? (GDPR Article 14)"),
        choices=Person.Notice.choices,
        initial=Person.Notice.DUE,
        help_text=gettext_lazy("Who must be told must be told within a month."),
    )

    field_order = ("name", "organisation", "basis", "basis_note", "notice", "retain_until", "retention", "note")


class AttributeForm(forms.Form):
    """One thing that is known."""

    name = forms.CharField(
        label=gettext_lazy("What"),
        max_length=40,
        widget=forms.TextInput(attrs={"list": "attribute-names", "autocapitalize": "none"}),
    )
    value = forms.CharField(label=gettext_lazy("Value"), max_length=2000)
    names = tuple(ATTRIBUTES)


class RoleForm(forms.Form):
    """What they are to us."""

    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=PersonRole.Role.choices)
    source = forms.CharField(
        label=gettext_lazy("Who says so"), max_length=120, help_text=gettext_lazy("Such as: contract 4711, the CRM.")
    )
    since = forms.DateField(label=gettext_lazy("Since"), required=False, widget=DATE)

    def clean_since(self) -> datetime | None:
        """The beginning of that day."""
        day: date | None = self.cleaned_data["since"]
        return timezone.make_aware(datetime.combine(day, time())) if day else None


class ConsentForm(forms.Form):
    """What they agreed to, or withdrew."""

    purpose = forms.CharField(
        label=gettext_lazy("Purpose"), max_length=80, help_text=gettext_lazy("Such as: newsletter.")
    )
    given = forms.TypedChoiceField(
        label=gettext_lazy("They"),
        choices=[("yes", gettext_lazy("agreed")), ("no", gettext_lazy("withdrew"))],
        coerce=lambda value: value == "yes",
    )
    proof = forms.CharField(
        label=gettext_lazy("Proof"),
        max_length=1000,
        help_text=gettext_lazy("By what it can be shown: a form, a message, a call with its date."),
    )


class OrganisationForm(SeenForm, forms.Form):
    """An organisation."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=200)
    domain = forms.CharField(
        label=gettext_lazy("Domain"), max_length=200, required=False, help_text=gettext_lazy("Such as acme.example.")
    )
    note = forms.CharField(
        label=gettext_lazy("Note"), max_length=4000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )


class SegmentForm(SeenForm, forms.Form):
    """A saved query over people."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    query = forms.CharField(
        label=gettext_lazy("Query"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3, **QUERY}),
        help_text=gettext_lazy("In the language of searches, over people: role:customer followers:>1000 NOT has:email"),
    )

    def __init__(self, *args: Any, workspace: Workspace, segment: Segment | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace, self.segment = workspace, segment

    def clean_query(self) -> str:
        """Refuse what cannot be read, with the place and the fix."""
        query: str = self.cleaned_data["query"].strip()
        try:
            people_query(self.workspace, query, within=(self.segment.slug,) if self.segment else ())
        except QueryError as error:
            raise forms.ValidationError(str(error)) from error
        return query


class ContactsForm(BasisForm):
    """A file of contacts, and on what basis they may be kept."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV with a header, or vCard. You see what would be read before anything is kept."),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.vcf,.vcard"}),
    )
    role = forms.ChoiceField(
        label=gettext_lazy("They are"),
        required=False,
        choices=[("", gettext_lazy("not said")), *PersonRole.Role.choices],
    )
    field_order = ("file", "role", "basis", "basis_note", "retain_until", "retention")


class ColumnsForm(forms.Form):
    """What each column of a file of contacts is."""

    def __init__(self, *args: Any, columns: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.columns = columns
        choices = [
            ("", _("leave out")),
            ("name", _("Name")),
            ("organisation", _("Organisation")),
            *((name, str(label)) for name, label in ATTRIBUTES.items()),
            ("keep", _("keep under its own name")),
        ]
        for place, (name, guess) in enumerate(columns):
            self.fields[f"column_{place}"] = forms.ChoiceField(
                label=name, required=False, choices=choices, initial=guess
            )

    def clean(self) -> dict[str, Any]:
        """Somebody must be named by something."""
        cleaned = super().clean() or {}
        if not {"name", "given_name", "family_name", "email"} & set(cleaned.values()):
            raise forms.ValidationError(_("Say which column holds the name or the e-mail address."))
        return cleaned

    @property
    def mapping(self) -> dict[str, str]:
        """For each column of the file what it is."""
        return {
            name: self.cleaned_data[f"column_{place}"]
            for place, (name, _guess) in enumerate(self.columns)
            if self.cleaned_data.get(f"column_{place}")
        }


class CrmForm(SeenForm, forms.Form):
    """A CRM that persons are exchanged with."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=80, initial="Tryton")
    url = forms.URLField(
        label=gettext_lazy("Address"),
        max_length=300,
        assume_scheme="https",
        help_text=gettext_lazy("Of the server, without the database: https://crm.example.org"),
    )
    database = forms.CharField(label=gettext_lazy("Database"), max_length=80)
    user = forms.CharField(label=gettext_lazy("User"), max_length=80)
    password = forms.CharField(
        label=gettext_lazy("Password"),
        max_length=200,
        required=False,
        widget=forms.PasswordInput(render_value=False),
        help_text=gettext_lazy("It is kept encrypted. Left empty, the one that is kept stays."),
    )
    query = forms.CharField(
        label=gettext_lazy("Who is sent there"),
        max_length=4000,
        required=False,
        widget=forms.TextInput(attrs=QUERY),
        help_text=gettext_lazy("A query over people, such as role:customer. Empty: nobody is created there."),
    )
    basis = forms.ChoiceField(
        label=gettext_lazy("Basis of contacts that come from there"),
        choices=Person.Basis.choices,
        initial=Person.Basis.CONTRACT,
    )
    basis_note = forms.CharField(label=gettext_lazy("What the basis rests on"), max_length=1000)
    retention_days = forms.IntegerField(label=gettext_lazy("Kept for (days)"), min_value=1, initial=730)
    every_hours = forms.IntegerField(label=gettext_lazy("Every so many hours"), min_value=1, max_value=168, initial=1)

    def __init__(self, *args: Any, workspace: Workspace, account: CrmAccount | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workspace = workspace
        self.fields["password"].required = account is None

    def clean_query(self) -> str:
        """Refuse what cannot be read."""
        query: str = self.cleaned_data["query"].strip()
        try:
            people_query(self.workspace, query)
        except QueryError as error:
            raise forms.ValidationError(str(error)) from error
        return query


def end_of(day: date) -> datetime:
    """The first instant after a day, where whoever asks is."""
    return timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))
