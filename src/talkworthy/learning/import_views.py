"""Pages of labels from a file: the file, its columns, what came of it, and taking it back."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.learning import actions, selectors
from talkworthy.learning.forms import LabelColumnsForm, LabelsForm
from talkworthy.learning.importing import Unreadable, columns_in
from talkworthy.learning.job_views import job_page
from talkworthy.listening.actions import Refused, stop_job
from talkworthy.listening.uploads import keep_upload, kept_upload
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

UPLOADS = "label uploads"
"""In the session: names of the files that wait for their columns to be named, by token."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.TRAIN_MODELS)
def import_labels(request: MemberRequest) -> HttpResponse:
    """Take a file; what was taken before stands below."""
    sent = request.method == "POST"
    form = LabelsForm(request.POST, request.FILES) if sent else LabelsForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        token = keep_upload(request.workspace, file)
        held = {token: [file.name[:200], form.format]}
        request.session[UPLOADS] = {**request.session.get(UPLOADS, {}), **held}
        return redirect("learning:label_columns", request.workspace.slug, token)
    context = {"form": form, "jobs": selectors.label_imports(viewer=request.member)[:20]}
    return render(request, "learning/import.html", context, status=422 if sent else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.TRAIN_MODELS)
def label_columns(request: MemberRequest, token: str) -> HttpResponse:
    """Which column is what?"""
    name, form_of_file = request.session.get(UPLOADS, {}).get(token) or ("", "")
    path = kept_upload(request.workspace, token)
    if not name or not path.exists():
        raise Http404(_("This file is not here any more. Send it again."))
    try:
        columns = columns_in(path, form_of_file)
    except Unreadable as error:
        messages.error(request, _("%(name)s cannot be read: %(why)s") % {"name": name, "why": error})
        return redirect("learning:import_labels", request.workspace.slug)
    form = LabelColumnsForm(request.POST if request.method == "POST" else None, columns=columns)
    if not form.is_valid():
        context = {"form": form, "name": name}
        return render(request, "learning/import_columns.html", context, status=422 if form.is_bound else 200)
    job = actions.start_label_import(
        request.workspace,
        path=path,
        name=name,
        format=form_of_file,
        mapping=form.mapping,
        drawn=form.cleaned_data["drawn"],
        by=request.user,
        now=timezone.now(),
    )
    request.session[UPLOADS] = {key: value for key, value in request.session[UPLOADS].items() if key != token}
    return redirect("learning:imported", request.workspace.slug, job.pk)


@require_safe
@permission_required(Permission.TRAIN_MODELS)
def imported(request: MemberRequest, job_id: int) -> HttpResponse:
    """How far it is, what was taken, and what was set aside and why."""
    job = selectors.label_import_or_404(job_id, viewer=request.member)
    context = {
        "job": job,
        "found": job.result or job.request,
        "held": selectors.labels_brought(job, viewer=request.member),
    }
    return job_page(request, "learning/imported.html", context, is_open=job.state in actions.OPEN)


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def undo_import(request: MemberRequest, job_id: int) -> HttpResponse:
    """Take the labels of a file back, or stop reading it."""
    job = selectors.label_import_or_404(job_id, viewer=request.member)
    now = timezone.now()
    try:
        if request.POST.get("stop"):
            stop_job(job, by=request.user, now=now)
        else:
            ended = actions.undo_label_import(job, by=request.user, now=now)
            said = ngettext("%(n)s label was taken back.", "%(n)s labels were taken back.", ended)
            messages.success(request, said % {"n": ended})
    except Refused as error:
        messages.error(request, str(error))
    return redirect("learning:imported", request.workspace.slug, job_id)
