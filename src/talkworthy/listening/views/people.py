"""What the pages of people ask of the rooms above them: links looked for, everything exported, everything erased."""

import json
import tempfile
import zipfile
from typing import IO, Any

from django import forms
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST

from talkworthy.archive import Scan
from talkworthy.hooks.manager import call
from talkworthy.listening import actions
from talkworthy.listening.stores import archive_of
from talkworthy.people import selectors
from talkworthy.people.forgetting import kept_of, records_of
from talkworthy.people.models import Identity, Person
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required


class PersonErasureForm(forms.Form):
    """Why, and that it is meant."""

    why = forms.CharField(
        label=_("Reason"),
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("It stands in the receipt and in the audit trail; name no person."),
    )
    sure = forms.BooleanField(label=_("I know that this cannot be undone."))


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def find_links(request: MemberRequest) -> HttpResponse:
    """Look for records that may be of one person."""
    job = actions.start_link_search(request.workspace, by=request.user, now=timezone.now())
    return redirect("listening:job", request.workspace.slug, job.pk)


@require_POST
@permission_required(Permission.EXPORT)
def export_person(request: MemberRequest, person_id: int) -> HttpResponseBase:
    """Everything that is kept of a person, of every room, as one ZIP: a JSON file for each table, and the files."""
    person = selectors.person_or_404(person_id, viewer=request.member)
    file = tempfile.SpooledTemporaryFile(max_size=20_000_000)  # noqa: SIM115 - the response closes it
    _write_everything(person, file)
    file.seek(0)
    note_change(
        person.workspace,
        verb="export person",
        thing=person,
        by=request.user,
        now=timezone.now(),
        label=f"person {person.pk}",
    )
    return FileResponse(file, as_attachment=True, filename=f"person-{person.pk}.zip", content_type="application/zip")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.ERASE)
def erase_person(request: MemberRequest, person_id: int) -> HttpResponse:
    """Erase a person from every room, after it was said how much that is and why."""
    person = selectors.person_or_404(person_id, viewer=request.member)
    accounts = selectors.accounts_of(person)
    form = PersonErasureForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        job = actions.start_person_erasure(
            request.workspace,
            accounts=accounts,
            records=records_of(person),
            why=form.cleaned_data["why"],
            by=request.user,
            now=timezone.now(),
        )
        return redirect("listening:job", request.workspace.slug, job.pk)
    page = {"form": form, "person": person, "accounts": accounts, "posts": _posts(person, accounts)}
    return render(request, "listening/jobs/erase_person.html", page, status=422 if form.is_bound else 200)


def everything_of(person: Person) -> dict[str, list[dict[str, Any]]]:
    """Every row that any room keeps of a person, by table."""
    records = records_of(person)
    identities = list(Identity.objects.filter(person__in=records).values_list("pk", flat=True))
    accounts = selectors.accounts_of(person)
    found: dict[str, list[dict[str, Any]]] = {
        name: list(rows) for name, rows in kept_of(person.workspace, records, identities).items()
    }
    uids = [
        uid
        for channel, account in accounts
        for uid in archive_of(person.workspace)
        .table(Scan(columns=("uid",), channels=(channel,), authors=(account,)))["uid"]
        .to_pylist()
    ]
    for answer in call("data_exported", workspace=person.workspace, uids=uids, authors=accounts):
        for name, rows in answer.items():
            known = found.setdefault(name, [])
            known += [dict(row) for row in rows if dict(row) not in known] if len(known) < 1000 else map(dict, rows)
    return found


def _write_everything(person: Person, file: "IO[bytes]") -> None:
    """The tables as JSON; where a row holds bytes they are a file of their own, and the row names it."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        counts = {}
        for table, rows in everything_of(person).items():
            for number, row in enumerate(rows):
                for name, value in row.items():
                    if isinstance(value, bytes):
                        row[name] = f"files/{table}-{number}-{name}"
                        archive.writestr(row[name], value)
            archive.writestr(f"{table}.json", json.dumps(rows, ensure_ascii=False, indent=1, default=str))
            counts[table] = len(rows)
        archive.writestr("contents.json", json.dumps({"person": person.pk, "tables": counts}, indent=1))


def _posts(person: Person, accounts: list[tuple[str, str]]) -> int:
    archive = archive_of(person.workspace)
    counted = [archive.count(Scan(channels=(channel,), authors=(account,))) for channel, account in accounts]
    return sum(int(table["posts"][0].as_py()) for table in counted if table.num_rows)
