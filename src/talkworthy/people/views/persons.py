"""Pages of persons: the list, one of them, and what may be done with them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django import forms as django_forms
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.people import actions, merging
from talkworthy.people.forms import AttributeForm, ConsentForm, PersonForm, RoleForm
from talkworthy.people.labels import ATTRIBUTES, CHANGES, KINDS, channel_title
from talkworthy.people.models import Attribute, Identity, Person, PersonRole
from talkworthy.people.selectors import profiles as selectors
from talkworthy.people.views.tabs import tabs
from talkworthy.query import QueryError
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required

LISTED = 50
CANDIDATES = 12


@require_safe
@permission_required(Permission.READ_PEOPLE)
def persons(request: MemberRequest) -> HttpResponse:
    """Who is known, filtered by the query language."""
    query, now = request.GET.get("q", "").strip()[:4000], timezone.now()
    page: dict[str, Any] = {"q": query, "tabs": tabs(request, "persons"), "problem": ""}
    try:
        found = selectors.persons(viewer=request.member, query=query, now=now)
    except QueryError as error:
        page |= {"problem": str(error), "persons": [], "total": 0}
        template = "people/persons.html#found" if request.htmx else "people/persons.html"
        return render(request, template, page, status=422)
    page["total"] = found.count()
    shown, page["older"], page["newer"] = _paged(request, found, query)
    page["persons"] = [(person, _accounts(person), _roles(person)) for person in shown]
    page["now"] = now
    template = "people/persons.html#found" if request.htmx else "people/persons.html"
    return render(request, template, page)


@require_safe
@permission_required(Permission.READ_PEOPLE)
def person(request: MemberRequest, person_id: int) -> HttpResponse:
    """One person: everything that is known, from where, on what basis, and what happened."""
    shown = selectors.person_or_404(person_id, viewer=request.member)
    if shown.root_id:
        return redirect("people:person", request.workspace.slug, shown.root_id)
    return _person(request, shown)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_PEOPLE)
@once
def new(request: MemberRequest) -> HttpResponse:
    """Add a person, maybe for an account that is known already."""
    number = request.GET.get("identity", "")
    identity = selectors.identity_or_404(int(number), viewer=request.member) if number.isdecimal() else None
    start = {"name": str(identity) if identity else request.GET.get("name", "")}
    form = PersonForm(request.POST if request.method == "POST" else None, initial=start)
    if form.is_valid():
        data = dict(form.cleaned_data)
        note = data.pop("note")
        try:
            added = actions.create_person(
                request.workspace,
                **data,
                identities=[identity] if identity else [],
                by=request.user,
                now=timezone.now(),
            )
            if note:
                actions.change_person(added, note=note, by=request.user, now=timezone.now())
        except actions.Refused as error:
            form.add_error(None, str(error))
        else:
            return _done(request, added, _("“%(name)s” is added.") % {"name": added.name}, "remove_person")
    page = {"form": form, "identity": identity, "person": None}
    return render(request, "people/person_form.html", page, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_PEOPLE)
def change(request: MemberRequest, person_id: int) -> HttpResponse:
    """Change what is said of a person, and on what basis the record exists."""
    shown = selectors.person_or_404(person_id, viewer=request.member)
    start = {name: getattr(shown, name) for name in ("name", "note", "basis", "basis_note", "notice", "retention")} | {
        "organisation": shown.organisation.name if shown.organisation else "",
        "retain_until": timezone.localtime(shown.retain_until - timedelta(seconds=1)).date(),
    }
    form = PersonForm(request.POST if request.method == "POST" else None, initial=start, kept=True)
    if form.is_valid():
        try:
            actions.change_person(shown, **form.cleaned_data, by=request.user, now=timezone.now())
        except actions.Refused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("people:person", request.workspace.slug, shown.root_id or shown.pk)
    page = {"form": form, "person": shown}
    return render(request, "people/person_form.html", page, status=422 if form.is_bound else 200)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def remove(request: MemberRequest, person_id: int) -> HttpResponse:
    """Put a record away; it can be restored for a month."""
    shown = selectors.person_or_404(person_id, viewer=request.member)
    actions.remove_person(shown, by=request.user, now=timezone.now())
    address = reverse("people:restore_person", args=(request.workspace.slug, shown.pk))
    offer_undo(request, _("“%(name)s” is put away.") % {"name": shown.name}, address)
    return redirect("people:persons", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def restore(request: MemberRequest, person_id: int) -> HttpResponse:
    """Bring a record back."""
    shown = selectors.removed_person_or_404(person_id, viewer=request.member)
    actions.restore_person(shown, by=request.user, now=timezone.now())
    return redirect("people:person", request.workspace.slug, shown.root_id or shown.pk)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def learn(request: MemberRequest, person_id: int) -> HttpResponse:
    """Write down one more thing that is known."""

    def add(shown: Person, data: dict[str, Any]) -> None:
        actions.add_attribute(
            shown, name=data["name"], value=data["value"], source=actions.MEMBER, by=request.user, now=timezone.now()
        )

    return _added(request, person_id, AttributeForm(request.POST), "attribute_form", add)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def unlearn(request: MemberRequest, person_id: int) -> HttpResponse:
    """Take away every row that says a value."""
    shown = selectors.person_or_404(person_id, viewer=request.member)
    numbers = [member.pk for member in selectors.members_of(shown)]
    name, value = request.POST.get("name", ""), request.POST.get("value", "")
    for row in Attribute.objects.filter(person__in=numbers, name=name, value__iexact=value).select_related("person"):
        actions.remove_attribute(row, by=request.user, now=timezone.now())
    messages.success(request, _("Taken away. That it stood there stays in the history."))
    return redirect("people:person", request.workspace.slug, shown.root_id or shown.pk)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def give_role(request: MemberRequest, person_id: int) -> HttpResponse:
    """Say what they are to us."""

    def add(shown: Person, data: dict[str, Any]) -> None:
        actions.give_role(
            shown, data["role"], source=data["source"], since=data["since"], by=request.user, now=timezone.now()
        )

    return _added(request, person_id, RoleForm(request.POST), "role_form", add)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def end_role(request: MemberRequest, person_id: int, role_id: int) -> HttpResponse:
    """Say that they are that no longer."""
    shown = selectors.person_or_404(person_id, viewer=request.member)
    numbers = [member.pk for member in selectors.members_of(shown)]
    role = PersonRole.objects.filter(pk=role_id, person__in=numbers).select_related("person__workspace").first()
    if role is None:
        raise Http404
    actions.end_role(role, by=request.user, now=timezone.now())
    return redirect("people:person", request.workspace.slug, shown.root_id or shown.pk)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def consent(request: MemberRequest, person_id: int) -> HttpResponse:
    """Write down that they agreed, or withdrew."""

    def add(shown: Person, data: dict[str, Any]) -> None:
        actions.note_consent(shown, **data, by=request.user, now=timezone.now())

    return _added(request, person_id, ConsentForm(request.POST), "consent_form", add)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def told(request: MemberRequest, person_id: int) -> HttpResponse:
    """Note that they were told that we keep data of them."""
    shown = selectors.person_or_404(person_id, viewer=request.member)
    actions.change_person(shown, notice=Person.Notice.TOLD, by=request.user, now=timezone.now())
    return redirect("people:person", request.workspace.slug, shown.root_id or shown.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_PEOPLE)
def merge(request: MemberRequest, person_id: int) -> HttpResponse:
    """Find who else is this person, see what a merge would show, and merge."""
    shown = selectors.person_or_404(person_id, viewer=request.member)
    other = _other(request, shown)
    if request.method == "POST" and other is not None:
        try:
            whole = actions.merge_persons(
                other, shown, by=request.user, now=timezone.now(), why=request.POST.get("why", "").strip()
            )
        except actions.Refused as error:
            messages.error(request, str(error))
            return redirect("people:person", request.workspace.slug, shown.pk)
        address = reverse("people:split", args=(request.workspace.slug, other.pk))
        offer_undo(request, _("“%(name)s” is merged in; every row stays as it was.") % {"name": other.name}, address)
        return redirect("people:person", request.workspace.slug, whole.pk)
    page: dict[str, Any] = {"person": shown, "other": other, "q": request.GET.get("q", "").strip()[:200]}
    if other is not None:
        ours, theirs = selectors.profile_of(shown), selectors.profile_of(other)
        rows = [row for known in (*ours.known, *theirs.known) for row in known.rows]
        page |= {"ours": ours, "theirs": theirs, "together": [_known(each) for each in merging.shown(rows)]}
    elif page["q"]:
        page["candidates"] = _candidates(request, shown, page["q"])
    return render(request, "people/merge.html", page)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def split(request: MemberRequest, person_id: int) -> HttpResponse:
    """Take a merged record off again."""
    part = selectors.person_or_404(person_id, viewer=request.member)
    never_again = request.POST.get("never") == "yes"
    try:
        fresh = actions.split_person(part, by=request.user, now=timezone.now(), never_again=never_again)
    except actions.Refused as error:
        messages.error(request, str(error))
        return redirect("people:person", request.workspace.slug, part.root_id or part.pk)
    messages.success(request, _("“%(name)s” is a person of its own again.") % {"name": fresh.name})
    return redirect("people:person", request.workspace.slug, fresh.pk)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def unlink(request: MemberRequest, identity_id: int) -> HttpResponse:
    """Say that this person is not behind the account."""
    identity = selectors.identity_or_404(identity_id, viewer=request.member)
    owner = identity.person
    if owner is None:
        raise Http404
    actions.unlink_identity(identity, by=request.user, now=timezone.now())
    address = reverse("people:link", args=(request.workspace.slug, identity.pk, owner.pk))
    offer_undo(request, _("The account “%(name)s” is unlinked.") % {"name": str(identity)}, address)
    return redirect("people:person", request.workspace.slug, owner.root_id or owner.pk)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def link(request: MemberRequest, identity_id: int, person_id: int) -> HttpResponse:
    """Say that this person is behind the account."""
    identity = selectors.identity_or_404(identity_id, viewer=request.member)
    owner = selectors.person_or_404(person_id, viewer=request.member)
    actions.link_identity(identity, owner, by=request.user, now=timezone.now())
    return redirect("people:person", request.workspace.slug, owner.root_id or owner.pk)


@require_safe
@permission_required(Permission.READ_PEOPLE)
def identity(request: MemberRequest, identity_id: int) -> HttpResponse:
    """One account behind which nobody is known yet; with a person, the person's page."""
    shown = selectors.identity_or_404(identity_id, viewer=request.member)
    if shown.person is not None and shown.person.deleted_at is None:
        return redirect("people:person", request.workspace.slug, shown.person.root_id or shown.person.pk)
    query = request.GET.get("q", "").strip()[:200]
    page = {
        "identity": shown,
        "channel": channel_title(shown.channel),
        "q": query,
        "candidates": _candidates(request, None, query) if query else [],
        "history": [(CHANGES.get(row.what, row.what), row) for row in shown.changes.select_related("by")[:50]],
    }
    return render(request, "people/identity.html", page)


@require_safe
@permission_required(Permission.READ_PEOPLE)
def accounts(request: MemberRequest) -> HttpResponse:
    """Accounts behind which nobody is known yet."""
    words = request.GET.get("q", "").strip()[:200]
    rows = Identity.objects.filter(workspace_id=request.workspace.pk, person=None)
    if words:
        rows = rows.filter(Q(handle__icontains=words.removeprefix("@")) | Q(name__icontains=words))
    after = request.GET.get("before", "")
    if after.isdecimal():
        rows = rows.filter(pk__lt=int(after))
    found = list(rows.order_by("-pk")[: LISTED + 1])
    older = f"?{urlencode({'q': words, 'before': found[LISTED - 1].pk})}" if len(found) > LISTED else ""
    listed = [(row, channel_title(row.channel)) for row in found[:LISTED]]
    page = {"accounts": listed, "q": words, "older": older, "tabs": tabs(request, "accounts")}
    return render(request, "people/accounts.html", page)


def _person(request: MemberRequest, shown: Person, *, status: int = 200, **bound: django_forms.Form) -> HttpResponse:
    profile = selectors.profile_of(shown)
    page: dict[str, Any] = {
        "person": shown,
        "profile": profile,
        "known": [_known(each) for each in profile.known],
        "accounts": [(row, channel_title(row.channel)) for row in profile.identities],
        "history": [(CHANGES.get(row.what, row.what), row, _told(row)) for row in profile.history],
        "timeline": [
            (row, channel_title(row.channel), row.title or KINDS.get(row.kind, row.kind))
            for row in selectors.timeline(shown)
        ],
        "attribute_form": AttributeForm(),
        "attribute_names": ATTRIBUTES,
        "role_form": RoleForm(auto_id="role_%s"),
        "consent_form": ConsentForm(auto_id="consent_%s"),
        "now": timezone.now(),
        **bound,
    }
    return render(request, "people/person.html", page, status=status)


def _added(
    request: MemberRequest,
    person_id: int,
    form: django_forms.Form,
    name: str,
    add: Callable[[Person, dict[str, Any]], None],
) -> HttpResponse:
    shown = selectors.person_or_404(person_id, viewer=request.member)
    if form.is_valid():
        try:
            add(shown, form.cleaned_data)
        except actions.Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("people:person", request.workspace.slug, shown.root_id or shown.pk)
    return _person(request, shown, status=422, **{name: form})


def _done(request: MemberRequest, shown: Person, text: str, undo: str) -> HttpResponse:
    offer_undo(request, text, reverse(f"people:{undo}", args=(request.workspace.slug, shown.pk)))
    return redirect("people:person", request.workspace.slug, shown.pk)


def _known(each: merging.Shown) -> tuple[Any, merging.Shown]:
    return ATTRIBUTES.get(each.name, each.name.replace("_", " ")), each


def _told(row: Any) -> str:
    """What a row of history says besides what happened."""
    value = row.new if row.new is not None else row.old
    if isinstance(value, dict):
        return " · ".join(str(part) for key, part in value.items() if part not in (None, "") and key != "source")
    return "" if value is None else f"#{value}"


def _accounts(person: Person) -> list[tuple[Identity, str]]:
    rows = [*person.identities.all(), *(row for part in person.members.all() for row in part.identities.all())]
    return [(row, channel_title(row.channel)) for row in rows]


def _roles(person: Person) -> list[str]:
    rows = [*person.roles.all(), *(row for part in person.members.all() for row in part.roles.all())]
    return list(dict.fromkeys(row.get_role_display() for row in rows))


def _paged(request: MemberRequest, found: Any, query: str) -> tuple[list[Person], str, str]:
    after = request.GET.get("after", "")
    if after.isdecimal() and (mark := Person.objects.filter(workspace=request.workspace, pk=int(after)).first()):
        found = found.filter(Q(name__gt=mark.name) | Q(name=mark.name, pk__gt=mark.pk))
    rows = list(found[: LISTED + 1])
    older = f"?{urlencode({'q': query, 'after': rows[LISTED - 1].pk})}" if len(rows) > LISTED else ""
    return rows[:LISTED], older, f"?{urlencode({'q': query})}" if after else ""


def _other(request: MemberRequest, shown: Person) -> Person | None:
    number = (request.POST if request.method == "POST" else request.GET).get("with", "")
    if not number.isdecimal():
        return None
    other = selectors.person_or_404(int(number), viewer=request.member)
    return (other.root or other) if (other.root_id or other.pk) != shown.pk else None


def _candidates(request: MemberRequest, shown: Person | None, query: str) -> list[Person]:
    try:
        found = selectors.persons(viewer=request.member, query=query, now=timezone.now())
    except QueryError as error:
        messages.error(request, str(error))
        return []
    return list((found.exclude(pk=shown.pk) if shown else found)[:CANDIDATES])
