"""Pages of recomputing: which posts and models, what would change with its posts, and the change."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.learning import actions, selectors
from talkworthy.learning.differing import CALM, URGENT
from talkworthy.learning.forms import RecomputeForm
from talkworthy.learning.job_views import job_page
from talkworthy.listening.actions import Refused, stop_job
from talkworthy.listening.labels import TASK, URGENT_FROM, value_label
from talkworthy.listening.models import Job
from talkworthy.listening.selectors.jobs import time_left
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.TRAIN_MODELS)
def recompute(request: MemberRequest) -> HttpResponse:
    """Which posts are looked at again, by which models; what was asked for before stands below."""
    facts = selectors.recomputable(viewer=request.member)
    form = RecomputeForm(
        request.POST if request.method == "POST" else None,
        monitors=facts.monitors,
        trained=facts.trained,
        answering=facts.answering,
    )
    if form.is_valid():
        try:
            job = actions.start_recomputation(
                request.workspace,
                choice=form.choice,
                monitor=form.cleaned_data["monitor"],
                since=form.begins,
                until=form.ends,
                apply=False,
                by=request.user,
                now=timezone.now(),
            )
        except Refused as error:
            form.add_error(None, str(error))
        else:
            return redirect("learning:recomputed", request.workspace.slug, job.pk)
    context = {"form": form, "jobs": [(job, _asked(job), _found(job)) for job in facts.jobs]}
    return render(request, "learning/recompute.html", context, status=422 if form.is_bound else 200)


@require_safe
@permission_required(Permission.TRAIN_MODELS)
def recomputed(request: MemberRequest, job_id: int) -> HttpResponse:
    """How far it is; then which answers change into which, with posts of each."""
    job = selectors.recomputation_or_404(job_id, viewer=request.member)
    is_open = job.state in actions.OPEN
    found = {} if is_open else _found(job)
    words = selectors.words_of(
        [post["id"] for move in found.get("moves", ()) for post in move["examples"]], viewer=request.member
    )
    context = {
        "job": job,
        "asked": _asked(job),
        "left": time_left(job, now=timezone.now()),
        "found": found,
        "applied": job.request["apply"],
        "undoes": job.request["undoes"],
        "tasks": _by_task(found, words),
        "versions": [(title or _("not analysed"), posts) for title, posts in found.get("versions", ())],
    }
    return job_page(request, "learning/recomputed.html", context, is_open=is_open)


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def apply(request: MemberRequest, job_id: int) -> HttpResponse:
    """Write what a preview said."""
    return _begun(actions.apply_recomputation, request, job_id)


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def undo(request: MemberRequest, job_id: int) -> HttpResponse:
    """Recompute with what had answered before."""
    return _begun(actions.undo_recomputation, request, job_id)


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def stop(request: MemberRequest, job_id: int) -> HttpResponse:
    """Stop it; what was written until then stays, and can be undone."""
    job = selectors.recomputation_or_404(job_id, viewer=request.member)
    stop_job(job, by=request.user, now=timezone.now())
    return redirect("learning:recomputed", request.workspace.slug, job_id)


def _begun(begin: Callable[..., Job], request: MemberRequest, job_id: int) -> HttpResponse:
    """Begin the next job from one that stands, and go to it; where that is refused, stay and say why."""
    stood = selectors.recomputation_or_404(job_id, viewer=request.member)
    try:
        job = begin(stood, by=request.user, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        job = stood
    return redirect("learning:recomputed", request.workspace.slug, job.pk)


def _asked(job: Job) -> list[tuple[str, str]]:
    """Which posts and models, in words."""
    asked = job.request
    since, until = (datetime.fromisoformat(asked[name]) if asked[name] else None for name in ("since", "until"))
    models = [
        (TASK[task], _("your model %(number)s") % {"number": asked["models"][task]})
        if task in asked["models"]
        else (TASK[task], _("the shipped model"))
        for task in actions.TRAINABLE
    ]
    span = [(_("From"), timezone.localtime(since).strftime("%Y-%m-%d %H:%M") if since else _("the first post"))]
    if until:
        span.append((_("Until"), timezone.localtime(until).strftime("%Y-%m-%d %H:%M")))
    return [(str(name), str(value)) for name, value in (*span, *models)]


def _found(job: Job) -> Mapping[str, Any]:
    """What was found, of one that did not end as far as it went."""
    found: Mapping[str, Any] = job.result or job.request.get("tally") or {}
    return found


def _by_task(found: Mapping[str, Any], words: Mapping[int, str]) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """The changes of each task in words: title, posts, and each change with those of its posts that are still here."""
    tasks: dict[str, list[dict[str, Any]]] = {}
    for move in found.get("moves", ()):
        examples = [
            {**post, "text": words[post["id"]], "was": post["chances"][0], "now": post["chances"][1]}
            for post in move["examples"]
            if post["id"] in words
        ]
        told = {
            "before": _said(move["task"], move["before"]),
            "after": _said(move["task"], move["after"]),
            "posts": move["posts"],
            "share": move["posts"] / found["posts"],
            "examples": examples,
            "key": f"{move['task']}-{move['before']}-{move['after']}",
        }
        tasks.setdefault(move["task"], []).append(told)
    return [(str(TASK[task]), sum(one["posts"] for one in moves), moves) for task, moves in tasks.items()]


def _said(task: str, value: str) -> str:
    if task == "urgency":
        named = {URGENT: _("urgent, from %(limit)s"), CALM: _("below %(limit)s")}
        return named[value] % {"limit": URGENT_FROM}
    return value_label(task, value) if value else _("not analysed")
