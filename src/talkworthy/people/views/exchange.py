"""Pages on which contacts come in from files and go out to them."""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.people import actions, contacts
from talkworthy.people.actions.contacts import Kept, import_contacts, known_among
from talkworthy.people.contacts import Contact, Unreadable
from talkworthy.people.forms import ColumnsForm, ContactsForm
from talkworthy.people.selectors.contacts import contacts_of
from talkworthy.people.uploads import keep_contacts, kept_contacts
from talkworthy.people.views.tabs import tabs
from talkworthy.query import QueryError
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

UPLOADS = "contacts"
"""In the session: what was said of the files that wait to be read, by token."""

SHOWN = 20


@require_safe
@permission_required(Permission.READ_PEOPLE)
def exchange(request: MemberRequest) -> HttpResponse:
    """Import and export of contacts."""
    return _exchange(request, ContactsForm())


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def upload(request: MemberRequest) -> HttpResponse:
    """Take a file in, and show what would be read."""
    form = ContactsForm(request.POST, request.FILES)
    if not form.is_valid():
        return _exchange(request, form, status=422)
    file, said = form.cleaned_data["file"], form.cleaned_data
    if file.size > contacts.LARGEST:
        form.add_error("file", _("The file is larger than 10 MB. Import it in parts."))
        return _exchange(request, form, status=422)
    token = keep_contacts(request.workspace, file)
    told = {name: said[name] for name in ("role", "basis", "basis_note", "retention")}
    told |= {"name": file.name[:120], "retain_until": said["retain_until"].isoformat()}
    request.session[UPLOADS] = {**request.session.get(UPLOADS, {}), token: told}
    return redirect("people:preview", request.workspace.slug, token)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_PEOPLE)
def preview(request: MemberRequest, token: str) -> HttpResponse:
    """Name the columns, see who would be added and who is known, and import."""
    told = request.session.get(UPLOADS, {}).get(token)
    path = kept_contacts(request.workspace, token)
    if told is None or not path.exists():
        raise Http404(_("This file is not here any more. Send it again."))
    data = path.read_bytes()
    page: dict[str, Any] = {"told": told, "token": token}
    try:
        form, found, faults, page["rows"] = _read(request, token, data)
    except Unreadable as error:
        messages.error(request, _("This file cannot be read: %(why)s.") % {"why": error})
        path.unlink(missing_ok=True)
        return redirect("people:exchange", request.workspace.slug)
    if request.method == "POST" and "import" in request.POST and found:
        return _import(request, token, told, found)
    matched = known_among(request.workspace, found)
    page |= {
        "form": form,
        "faults": faults,
        "total": len(found),
        "known": sum(person is not None for person in matched),
        "shown": [
            (contact, person, [(name, ", ".join(values)) for name, values in contact.known.items()])
            for contact, person in zip(found[:SHOWN], matched, strict=False)
        ],
    }
    return render(request, "people/preview.html", page, status=422 if form is not None and form.errors else 200)


@require_safe
@permission_required(Permission.EXPORT)
def export(request: MemberRequest, form: str) -> HttpResponse:
    """Whom a query finds, as CSV or vCard."""
    if form not in ("csv", "vcf"):
        raise Http404
    try:
        found = contacts_of(viewer=request.member, query=request.GET.get("q", "")[:4000], now=timezone.now())
    except QueryError as error:
        messages.error(request, str(error))
        return redirect("people:persons", request.workspace.slug)
    if form == "csv":
        answer = HttpResponse("\ufeff" + contacts.write_csv(found), content_type="text/csv; charset=utf-8")
    else:
        answer = HttpResponse(contacts.write_vcards(found), content_type="text/vcard; charset=utf-8")
    name = f"{request.workspace.slug}-people-{timezone.localdate():%Y-%m-%d}.{form}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _exchange(request: MemberRequest, form: ContactsForm, *, status: int = 200) -> HttpResponse:
    page = {"form": form, "tabs": tabs(request, "exchange"), "most": contacts.MOST}
    return render(request, "people/exchange.html", page, status=status)


def _read(
    request: MemberRequest, token: str, data: bytes
) -> tuple[ColumnsForm | None, list[Contact], list[str], list[Any]]:
    if token.endswith(".vcf"):
        found, faults = contacts.read_vcards(data)
        return None, found, faults, []
    columns = contacts.columns_of(data)
    named = [(name, guess) for name, guess, _examples in columns]
    guessed = {f"column_{place}": guess for place, (_name, guess) in enumerate(named)}
    form = ColumnsForm(request.POST if request.method == "POST" else guessed, columns=named)
    rows = [(form[f"column_{place}"], name, examples) for place, (name, _guess, examples) in enumerate(columns)]
    if not form.is_valid():
        return form, [], [], rows
    found, faults = contacts.read_csv(data, form.mapping)
    return form, found, faults, rows


def _import(request: MemberRequest, token: str, told: dict[str, Any], found: Sequence[Contact]) -> HttpResponse:
    until = parse_datetime(told["retain_until"])
    if until is None:
        raise Http404
    try:
        done = import_contacts(
            request.workspace,
            found,
            kept=Kept(told["basis"], told["basis_note"], until, told["retention"]),
            source=f"import {told['name']}"[:120],
            role=told["role"],
            by=request.user,
            now=timezone.now(),
        )
    except actions.Refused as error:
        messages.error(request, str(error))
        return redirect("people:exchange", request.workspace.slug)
    kept_contacts(request.workspace, token).unlink(missing_ok=True)
    request.session[UPLOADS] = {key: value for key, value in request.session[UPLOADS].items() if key != token}
    messages.success(
        request,
        _("%(added)s persons were added, %(known)s were known already.") % {"added": done.added, "known": done.known},
    )
    return redirect("people:persons", request.workspace.slug)
