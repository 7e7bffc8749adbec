"""One change of every case that the filter of the inbox finds."""

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from talkworthy.listening.models import Job
from talkworthy.listening.selectors.jobs import job_or_404
from talkworthy.query import QueryError
from talkworthy.responding import many as work
from talkworthy.responding.actions import Refused
from talkworthy.responding.forms.many import ManyForm
from talkworthy.responding.selectors.case import teams
from talkworthy.responding.selectors.inbox import found_cases
from talkworthy.responding.views.inbox import asked_of
from talkworthy.routing.actions import may_own
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required
from talkworthy.workspaces.selectors import members


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.WORK_CASES)
@once
def many(request: MemberRequest) -> HttpResponse:
    """How many the filter finds, and what is to be done with all of them."""
    carried = request.POST.get("carried", "") if request.method == "POST" else request.GET.urlencode()
    asked, now = asked_of(QueryDict(carried)), timezone.now()
    owners = [one for one in members(viewer=request.member) if may_own(one)]
    told = request.POST if request.method == "POST" else None
    form = ManyForm(told, owners=owners, teams=teams(viewer=request.member))
    status = 200
    if told is not None and form.is_valid():
        verb, fields = form.told()
        try:
            job = work.change_found(asked, verb=verb, told=fields, by=request.member, now=now)
        except (Refused, QueryError) as error:
            form.add_error(None, str(error))
        else:
            return redirect("listening:job", request.workspace.slug, job.pk)
    if form.errors:
        status = 422
    try:
        count = found_cases(asked, viewer=request.member, now=now).count()
    except QueryError:
        count = 0
    page = {"form": form, "asked": asked, "carried": carried, "count": count}
    return render(request, "responding/inbox/many.html", page, status=status)


@require_POST
@permission_required(Permission.WORK_CASES)
def undo(request: MemberRequest, job_id: int) -> HttpResponse:
    """Give all of them back what they were."""
    job = job_or_404(job_id, viewer=request.member)
    if job.kind != Job.Kind.CASES:
        messages.error(request, _("This is no change of cases."))
        return redirect("listening:job", request.workspace.slug, job.pk)
    try:
        made = work.undo_found(job, by=request.member, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        return redirect("listening:job", request.workspace.slug, job.pk)
    return redirect("listening:job", request.workspace.slug, made.pk)
