"""The page of a touchpoint's examples: posts to mark, what they tied and why, and the examples themselves."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from talkworthy.ecosystem.selectors import touchpoint_or_404
from talkworthy.learning import actions, selectors
from talkworthy.listening.selectors import mentions
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required


@require_safe
@permission_required(Permission.READ)
def examples(request: MemberRequest, touchpoint_id: int) -> HttpResponse:
    """The examples of a touchpoint, and what came of them."""
    shown = touchpoint_or_404(touchpoint_id, viewer=request.member)
    words = request.GET.get("q", "").strip()
    page = selectors.examples_page(shown, words=words, viewer=request.member, now=timezone.now())
    return render(request, "learning/examples.html", {"touchpoint": shown, "page": page, "words": words})


@require_POST
@permission_required(Permission.MARK)
def mark(request: MemberRequest, post_id: int) -> HttpResponse:
    """A post belongs to a touchpoint, or does not; the answer offers to undo it."""
    number = request.POST.get("touchpoint", "")
    marked = touchpoint_or_404(int(number) if number.isdecimal() else 0, viewer=request.member)
    post = mentions.post_or_404(post_id, viewer=request.member)
    belongs = request.POST.get("belongs") == "yes"
    label, _before = actions.mark_example(marked, post, belongs=belongs, by=request.user, now=timezone.now())
    said = _("Marked: it belongs to “%(name)s”.") if belongs else _("Marked: it does not belong to “%(name)s”.")
    undo = reverse("learning:take_example_back", args=(request.workspace.slug, marked.pk, label.pk))
    offer_undo(request, said % {"name": marked.name}, undo)
    return _back(request, marked.pk)


@require_POST
@permission_required(Permission.MARK)
def take_back(request: MemberRequest, touchpoint_id: int, label_id: int) -> HttpResponse:
    """Let a post be no example any more."""
    marked = touchpoint_or_404(touchpoint_id, viewer=request.member)
    label = get_object_or_404(selectors.example_labels(marked, viewer=request.member), pk=label_id)
    actions.take_example_back(marked, label, by=request.user, now=timezone.now())
    messages.success(request, _("It is no example any more."))
    return _back(request, marked.pk)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def switch(request: MemberRequest, touchpoint_id: int) -> HttpResponse:
    """Tie posts by the examples, or no longer; the answer offers to undo it."""
    switched = touchpoint_or_404(touchpoint_id, viewer=request.member)
    answers = request.POST.get("answers") == "yes"
    actions.let_examples_answer(switched, answers, by=request.user, now=timezone.now())
    if answers:
        messages.success(request, _("Posts like the examples are being tied."))
    else:
        messages.success(request, _("What the examples tied is untied; the examples are kept."))
    return redirect("learning:examples", request.workspace.slug, switched.pk)


def _back(request: MemberRequest, touchpoint_id: int) -> HttpResponse:
    back = request.headers.get("referer", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if safe else reverse("learning:examples", args=(request.workspace.slug, touchpoint_id)))
