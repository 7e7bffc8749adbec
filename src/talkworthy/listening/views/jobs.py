"""Pages of long work: its progress and outcome, import and export, erasure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.listening import actions
from talkworthy.listening.exchange import bare_id
from talkworthy.listening.forms.jobs import ErasureForm, ExportForm, ImportForm, MappingForm
from talkworthy.listening.jobs import exports_of
from talkworthy.listening.labels import channel_title
from talkworthy.listening.models import Job
from talkworthy.listening.selectors import jobs as selectors
from talkworthy.listening.uploads import columns_of, keep_upload, kept_upload, origin_of
from talkworthy.workspaces.permissions import Permission, may
from talkworthy.workspaces.requests import MemberRequest, permission_required

ENDINGS = {"jsonl": "jsonl", "parquet": "parquet", "csv": "csv", "activitystreams": "json"}
"""How the name of an exported file ends."""

UPLOADS = "uploads"
"""In the session: names of the files that wait for their columns to be named, by token."""


@require_safe
@permission_required(Permission.READ)
def jobs(request: MemberRequest) -> HttpResponse:
    """What is under way, and what was."""
    return render(request, "listening/jobs/jobs.html", {"jobs": selectors.jobs(viewer=request.member)})


@require_safe
@permission_required(Permission.READ)
def job(request: MemberRequest, job_id: int) -> HttpResponse:
    """How far it is, and what came of it. One may leave and come back."""
    found = selectors.job_or_404(job_id, viewer=request.member)
    if found.kind == Job.Kind.ERASURE and not may(request.member.role, Permission.ERASE):
        raise Http404(_("There is no such job."))
    page = {
        "job": found,
        "left": selectors.time_left(found, now=timezone.now()),
        "is_open": found.state in {Job.State.WAITING, Job.State.RUNNING},
        "asked": _asked(found),
        "may_stop": _may_start(found, request),
        "is_fixed": found.kind == Job.Kind.ERASURE and found.state == Job.State.RUNNING,
        "has_file": _has_file(found),
        "brought": selectors.source_brought(found),
    }
    template = "listening/jobs/job.html#state" if request.htmx else "listening/jobs/job.html"
    return render(request, template, page)


@require_POST
@permission_required(Permission.READ)
def stop(request: MemberRequest, job_id: int) -> HttpResponse:
    """Stop it, by whoever may start its like."""
    found = selectors.job_or_404(job_id, viewer=request.member)
    if not _may_start(found, request):
        raise Http404(_("There is no such job."))
    actions.stop_job(found, by=request.user, now=timezone.now())
    return redirect("listening:job", request.workspace.slug, found.pk)


@require_POST
@permission_required(Permission.READ)
def again(request: MemberRequest, job_id: int) -> HttpResponse:
    """Begin a failed one again, by whoever may start its like."""
    found = selectors.job_or_404(job_id, viewer=request.member)
    if not _may_start(found, request):
        raise Http404(_("There is no such job."))
    try:
        actions.restart_job(found, by=request.user, now=timezone.now())
    except actions.Refused as error:
        messages.error(request, str(error))
    if found.kind == Job.Kind.REPLAY:
        return redirect("routing:replay", request.workspace.slug, found.pk)
    return redirect("listening:job", request.workspace.slug, found.pk)


@require_safe
@permission_required(Permission.EXPORT)
def download(request: MemberRequest, job_id: int) -> HttpResponseBase:
    """The file of an export."""
    found = selectors.job_or_404(job_id, viewer=request.member)
    if not _has_file(found):
        raise Http404(_("The file of this export is gone. Start the export again."))
    ending = ENDINGS.get(found.request["format"], found.request["format"])
    name = f"{request.workspace.slug}-{found.created_at:%Y-%m-%d}-{found.pk}.{ending}"
    return FileResponse(exports_of(found).open("rb"), as_attachment=True, filename=name)


@require_safe
@permission_required(Permission.EXPORT)
def data(request: MemberRequest) -> HttpResponse:
    """Import and export."""
    return _data(request)


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def start_import(request: MemberRequest) -> HttpResponse:
    """Take a file; one of rows is asked for its columns first."""
    form = ImportForm(request.POST, request.FILES, auto_id="import_%s")
    if not form.is_valid():
        return _data(request, import_form=form, status=422)
    file, format_ = form.cleaned_data["file"], form.cleaned_data["format"]
    token = keep_upload(request.workspace, file)
    if format_ == "csv" or _has_bare_ids(kept_upload(request.workspace, token), format_):
        held = {token: [file.name[:200], format_]}
        request.session[UPLOADS] = {**request.session.get(UPLOADS, {}), **held}
        return redirect("listening:mapping", request.workspace.slug, token)
    started = actions.start_import(
        request.workspace,
        path=kept_upload(request.workspace, token),
        name=file.name,
        format=format_,
        by=request.user,
        now=timezone.now(),
    )
    return redirect("listening:job", request.workspace.slug, started.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_SOURCES)
def mapping(request: MemberRequest, token: str) -> HttpResponse:
    """Which column is what, and where do posts come from whose ids do not say it?"""
    name, format_ = request.session.get(UPLOADS, {}).get(token) or ("", "")
    path = kept_upload(request.workspace, token)
    if not name or not path.exists():
        raise Http404(_("This file is not here any more. Send it again."))
    try:
        columns = columns_of(path) if format_ == "csv" else []
    except (OSError, EOFError):
        messages.error(
            request, _("%(name)s is broken off or damaged. Pack it anew, and send it again.") % {"name": name}
        )
        return redirect("listening:data", request.workspace.slug)
    asked = request.POST if request.method == "POST" else None
    form = MappingForm(asked, columns=columns, initial={"origin": origin_of(name)})
    if not form.is_valid():
        rows = [(form[f"column_{place}"], column) for place, column in enumerate(columns)]
        page = {"form": form, "rows": rows, "name": name, "origin": form["origin"]}
        return render(request, "listening/jobs/mapping.html", page, status=422 if form.is_bound else 200)
    started = actions.start_import(
        request.workspace,
        path=path,
        name=name,
        format=format_,
        mapping=form.mapping,
        by=request.user,
        now=timezone.now(),
    )
    request.session[UPLOADS] = {key: value for key, value in request.session[UPLOADS].items() if key != token}
    return redirect("listening:job", request.workspace.slug, started.pk)


@require_POST
@permission_required(Permission.EXPORT)
def start_export(request: MemberRequest) -> HttpResponse:
    """Write posts to a file."""
    form = ExportForm(request.POST, auto_id="export_%s")
    if not form.is_valid():
        return _data(request, export_form=form, status=422)
    try:
        started = actions.start_export(request.workspace, **form.cleaned_data, by=request.user, now=timezone.now())
    except actions.Refused as error:
        form.add_error("query", str(error))
        return _data(request, export_form=form, status=422)
    return redirect("listening:job", request.workspace.slug, started.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.ERASE)
def erasure(request: MemberRequest) -> HttpResponse:
    """Take a person's posts out for good, and the receipts of those that were."""
    named = [(channel, channel_title(channel)) for channel in selectors.channels(viewer=request.member)]
    if request.method != "POST":
        asked = {name: request.GET[name] for name in ("channel", "author_id") if name in request.GET}
        return _erasure(request, ErasureForm(initial=asked, channels=named))
    form = ErasureForm(request.POST, channels=named)
    if not form.is_valid():
        return _erasure(request, form, status=422)
    data = form.cleaned_data
    started = actions.start_erasure(
        request.workspace,
        channel=data["channel"],
        author_id=data["author_id"].strip(),
        uids=(),
        why=data["why"],
        by=request.user,
        now=timezone.now(),
    )
    return redirect("listening:job", request.workspace.slug, started.pk)


@require_safe
@permission_required(Permission.ERASE)
def erasure_count(request: MemberRequest) -> HttpResponse:
    """How many posts an erasure would take."""
    channel, author_id = request.GET.get("channel", ""), request.GET.get("author_id", "").strip()
    count = selectors.posts_of(channel, author_id, viewer=request.member) if channel and author_id else None
    return render(request, "listening/jobs/erasure.html#count", {"count": count})


def _has_bare_ids(path: Path, format_: str) -> bool:
    """Whether ids such as 17 need to be told where they come from; a file that cannot be read tells in its import."""
    try:
        return bare_id(path, format_, mapping={}) is not None
    except (ValueError, OSError):
        return False


def _data(
    request: MemberRequest,
    *,
    import_form: ImportForm | None = None,
    export_form: ExportForm | None = None,
    status: int = 200,
) -> HttpResponse:
    kinds = (Job.Kind.IMPORT, Job.Kind.EXPORT)
    page = {
        "import_form": import_form or ImportForm(auto_id="import_%s"),
        "export_form": export_form or ExportForm(initial={"query": request.GET.get("q", "")}, auto_id="export_%s"),
        "jobs": selectors.jobs(viewer=request.member, kinds=kinds),
    }
    return render(request, "listening/jobs/data.html", page, status=status)


def _erasure(request: MemberRequest, form: ErasureForm, *, status: int = 200) -> HttpResponse:
    receipts = selectors.jobs(viewer=request.member, kinds=(Job.Kind.ERASURE,))
    return render(
        request, "listening/jobs/erasure.html", {"form": form, "receipts": receipts, "count": None}, status=status
    )


_STARTS = {
    Job.Kind.IMPORT: Permission.EDIT_SOURCES,
    Job.Kind.EXPORT: Permission.EXPORT,
    Job.Kind.ERASURE: Permission.ERASE,
    Job.Kind.BACKTEST: Permission.EDIT_MONITORS,
    Job.Kind.REMATCH: Permission.EDIT_MONITORS,
    Job.Kind.LINK: Permission.EDIT_PEOPLE,
    Job.Kind.SYNC: Permission.EDIT_PEOPLE,
    Job.Kind.REPLAY: Permission.EDIT_ROUTING,
    Job.Kind.RETRAIN: Permission.TRAIN_MODELS,
    Job.Kind.RECOMPUTE: Permission.TRAIN_MODELS,
    Job.Kind.LABELS: Permission.TRAIN_MODELS,
    Job.Kind.INFLUENCE: Permission.EDIT_MONITORS,
    Job.Kind.CASES: Permission.WORK_CASES,
}


def _may_start(job: Job, request: MemberRequest) -> bool:
    return may(request.member.role, _STARTS[Job.Kind(job.kind)])


def _has_file(job: Job) -> bool:
    return job.kind == Job.Kind.EXPORT and job.state == Job.State.DONE and exports_of(job).exists()


def _asked(job: Job) -> list[tuple[str, str]]:
    """What was asked for, in words."""
    asked: Mapping[str, Any] = job.request
    told = {
        _("File"): asked.get("name"),
        _("What is done"): asked.get("what"),
        _("Query"): asked.get("query"),
        _("Format"): asked.get("format"),
        _("From"): asked.get("since"),
        _("Until"): asked.get("until"),
        _("Channel"): channel_title(asked["channel"]) if asked.get("channel") else None,
        _("Account"): asked.get("author_id"),
        _("Reason"): asked.get("why"),
    }
    return [(str(name), str(value)) for name, value in told.items() if value]
