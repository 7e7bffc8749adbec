"""The page of a case: read beside the queue, as one story, and with what is like it."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from talkworthy.responding import actions
from talkworthy.responding.selectors.case import alike_to, page_of
from talkworthy.responding.selectors.inbox import case_or_404
from talkworthy.responding.selectors.story import story_of
from talkworthy.responding.views.inbox import asked_of, inbox_context
from talkworthy.workspaces.permissions import Permission, may
from talkworthy.workspaces.requests import MemberRequest, permission_required


@require_safe
@permission_required(Permission.READ)
def case(request: MemberRequest, number: int) -> HttpResponse:
    """The case, with the queue beside it; alone where only it is exchanged."""
    found = case_or_404(number, viewer=request.member)
    if may(request.member.role, Permission.WORK_CASES):
        actions.note_presence(found, member=request.member, is_writing=False, now=timezone.now())
    actions.see_cases([found], member=request.member)
    page = page_of(found, viewer=request.member)
    context = inbox_context(request, asked_of(request.GET), page)
    is_part = request.htmx and request.htmx.target == "opened"
    return render(request, "responding/inbox/case.html" if is_part else "responding/inbox/inbox.html", context)


@require_safe
@permission_required(Permission.READ)
def alike(request: MemberRequest, number: int) -> HttpResponse:
    """Settled cases that speak of a matter like this one, and why."""
    found = case_or_404(number, viewer=request.member)
    name = "responding/inbox/alike.html" if request.htmx else "responding/inbox/alike_page.html"
    return render(request, name, {"case": found, "alike": alike_to(found)})


@require_safe
@permission_required(Permission.READ)
def story(request: MemberRequest, number: int) -> HttpResponse:
    """What happened, as one page to read and to print."""
    page = page_of(case_or_404(number, viewer=request.member), viewer=request.member)
    return render(request, "responding/inbox/story.html", {"page": page, "lines": story_of(page)})
