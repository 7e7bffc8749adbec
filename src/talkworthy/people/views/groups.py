"""Pages of organisations and segments."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.people import actions
from talkworthy.people.fields import PEOPLE
from talkworthy.people.forms import OrganisationForm, SegmentForm
from talkworthy.people.models import Organisation, Segment
from talkworthy.people.selectors import listing as selectors
from talkworthy.people.views.tabs import tabs
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required

LISTED = 100


@require_safe
@permission_required(Permission.READ_PEOPLE)
def organisations(request: MemberRequest) -> HttpResponse:
    """Organisations, with how many of their people are known."""
    words = request.GET.get("q", "").strip()[:200]
    found = selectors.organisations(viewer=request.member, words=words)
    page = {"organisations": found[:LISTED], "q": words, "total": found.count(), "tabs": tabs(request, "organisations")}
    return render(request, "people/organisations.html", page)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.READ_PEOPLE)
def organisation(request: MemberRequest, organisation_id: int) -> HttpResponse:
    """One organisation and its people."""
    shown = selectors.organisation_or_404(organisation_id, viewer=request.member)
    form = OrganisationForm(initial=_held(shown), kept=True)
    if request.method == "POST":
        return _save_organisation(request, organisation_id)
    people = shown.persons.filter(deleted_at=None).order_by("name")[:LISTED]
    return render(request, "people/organisation.html", {"organisation": shown, "form": form, "people": people})


@permission_required(Permission.EDIT_PEOPLE)
def _save_organisation(request: MemberRequest, organisation_id: int) -> HttpResponse:
    shown = selectors.organisation_or_404(organisation_id, viewer=request.member)
    form = OrganisationForm(request.POST, initial=_held(shown), kept=True)
    if form.is_valid():
        actions.change_organisation(shown, **form.cleaned_data, by=request.user, now=timezone.now())
        messages.success(request, _("Saved."))
        return redirect("people:organisation", request.workspace.slug, shown.pk)
    people = shown.persons.filter(deleted_at=None).order_by("name")[:LISTED]
    page = {"organisation": shown, "form": form, "people": people}
    return render(request, "people/organisation.html", page, status=422)


def _held(shown: Organisation) -> dict[str, str]:
    return {"name": shown.name, "domain": shown.domain, "note": shown.note}


@require_safe
@permission_required(Permission.READ_PEOPLE)
def segments(request: MemberRequest) -> HttpResponse:
    """Saved queries over people, with how many each finds."""
    rows = selectors.segments(viewer=request.member, now=timezone.now())
    return render(request, "people/segments.html", {"segments": rows, "tabs": tabs(request, "segments")})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_PEOPLE)
@once
def new_segment(request: MemberRequest) -> HttpResponse:
    """Keep a query under a name."""
    return _segment(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_PEOPLE)
def change_segment(request: MemberRequest, segment_id: int) -> HttpResponse:
    """Change name or query."""
    return _segment(request, selectors.segment_or_404(segment_id, viewer=request.member))


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def delete_segment(request: MemberRequest, segment_id: int) -> HttpResponse:
    """Take it away; the answer offers to undo it."""
    segment = selectors.segment_or_404(segment_id, viewer=request.member)
    actions.delete_segment(segment, by=request.user, now=timezone.now())
    address = reverse("people:restore_segment", args=(request.workspace.slug, segment.pk))
    offer_undo(request, _("“%(name)s” is deleted.") % {"name": segment.name}, address)
    return redirect("people:segments", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def restore_segment(request: MemberRequest, segment_id: int) -> HttpResponse:
    """Bring it back."""
    segment = selectors.segment_or_404(segment_id, viewer=request.member, is_deleted=True)
    try:
        actions.restore_segment(segment, by=request.user, now=timezone.now())
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("people:segments", request.workspace.slug)


def _segment(request: MemberRequest, segment: Segment | None) -> HttpResponse:
    start = {"name": segment.name, "query": segment.query} if segment else {"query": request.GET.get("q", "")}
    form = SegmentForm(
        request.POST if request.method == "POST" else None,
        initial=start,
        workspace=request.workspace,
        segment=segment,
        kept=segment is not None,
    )
    if form.is_valid():
        try:
            if segment is None:
                actions.create_segment(request.workspace, **form.cleaned_data, by=request.user, now=timezone.now())
            else:
                actions.change_segment(segment, **form.cleaned_data, by=request.user, now=timezone.now())
        except actions.Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("people:segments", request.workspace.slug)
    page = {"form": form, "segment": segment, "fields": PEOPLE.values()}
    return render(request, "people/segment_form.html", page, status=422 if form.is_bound else 200)
