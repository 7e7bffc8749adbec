"""The page of models: labels, training, which model answers, and how sure it must be."""

import csv
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from talkworthy.analysis.training.comparing import ENOUGH, Share
from talkworthy.learning import actions, quality, selectors, sureness
from talkworthy.learning.quality import Crossed
from talkworthy.listening.actions import Refused
from talkworthy.listening.labels import TASK, channel_title, language_name
from talkworthy.listening.selectors import mentions
from talkworthy.listening.views.drawing import plain
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required

MOST_COLUMNS = 12
"""Languages or channels that stand beside each other on the page, those with the most labels; the file has all."""
CROSSED_CSV = (
    "task", "model", "by", "value",
    "precision", "precision_low", "precision_high", "precision_n", "recall", "recall_low", "recall_high", "recall_n",
)  # fmt: skip
CSV = ("task", "uid", "value", "answer", "probability", "model", "kind", "drawn", "language", "channel", "by", "at")


@require_safe
@permission_required(Permission.READ)
def models(request: MemberRequest) -> HttpResponse:
    """What each model learned here, and how it does."""
    found = selectors.task_pages(viewer=request.member)
    pages = [(page, TASK[page.task], [(one, _verdict(one.comparison)) for one in page.trained]) for page in found]
    habits, speaking = selectors.speaking(viewer=request.member)
    told = [(one, [(language_name(code), share) for code, share in one.shares]) for one in speaking]
    context = {
        "pages": pages,
        "habits": habits,
        "speaking": told,
        "crossings": [_crossing(request, one) for one in quality.crossed(viewer=request.member)],
    }
    return render(request, "learning/models.html", context)


@require_safe
@permission_required(Permission.EXPORT)
def quality_csv(request: MemberRequest) -> HttpResponse:
    """How often each model is right by language and channel, a row a cell; shares of no label are left empty."""
    answer = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{request.workspace.slug}-quality.csv"'
    writer = csv.writer(answer)
    writer.writerow(CROSSED_CSV)
    for place, one in enumerate(quality.crossed(viewer=request.member)):
        for task, model, cells in one.rows:
            for value, cell in zip(("", *one.values), cells, strict=True):
                if value or not place:
                    shares = [part for share in (cell.precision, cell.recall) for part in _figures(share)]
                    writer.writerow([plain(part) for part in (task, model, one.by if value else "", value, *shares)])
    return answer


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def switch_habits(request: MemberRequest) -> HttpResponse:
    """Let what sources usually speak count, or no longer; the page has the way back."""
    answers = request.POST.get("answers") == "yes"
    actions.let_habits_answer(request.workspace, answers, by=request.user, now=timezone.now())
    said = _("It counts from the next posts on.") if answers else _("It counts no longer, from the next posts on.")
    messages.success(request, said)
    return redirect("learning:models", request.workspace.slug)


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def train(request: MemberRequest, task: str) -> HttpResponse:
    """Train in the background."""
    try:
        job = actions.start_retraining(request.workspace, task, by=request.user, now=timezone.now())
    except Refused as error:
        raise Http404(str(error)) from error
    return redirect("listening:job", request.workspace.slug, job.pk)


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def activate(request: MemberRequest, task: str, number: int) -> HttpResponse:
    """Let another model answer; 0 is the shipped one."""
    trained = selectors.trained_or_404(task, number, viewer=request.member) if number else None
    before = actions.activate_model(request.workspace, task, trained, by=request.user, now=timezone.now())
    undo = reverse("learning:activate", args=(request.workspace.slug, task, before.number if before else 0))
    offer_undo(request, _("It answers from the next posts on. Older annotations stay as they are."), undo)
    return redirect("learning:models", request.workspace.slug)


@require_safe
@permission_required(Permission.READ)
def sure_preview(request: MemberRequest, task: str) -> HttpResponse:
    """What each least probability would do, before it is saved."""
    if task not in actions.SURE:
        raise Http404
    asked = request.GET.get("least", "").strip().replace(",", ".")
    held = selectors.least_probability(task, viewer=request.member)
    try:
        tried = min(1.0, max(0.0, float(asked) / 100)) if asked else None
    except ValueError:
        tried = None
        messages.error(request, _("A probability is a number from 0 to 100 percent."))
    found = sureness.steps(task, asked=tried, held=held, viewer=request.member, now=timezone.now())
    address = reverse("learning:labels", args=(request.workspace.slug, task))
    context = {
        "task": task,
        "title": TASK[task],
        "asked": asked[:8],
        "posts": found[0].posts,
        "steps": [(step, (step.right, step.right.n < ENOUGH, f"{address}?drawn=1")) for step in found],
    }
    return render(request, "learning/sure.html", context)


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def sure(request: MemberRequest, task: str) -> HttpResponse:
    """Say below which probability an answer is "undecided"; an empty field is the model's own limit."""
    asked = request.POST.get("least", "").strip().replace(",", ".")
    try:
        least = float(asked) / 100 if asked else None
        actions.set_sureness(request.workspace, task, least, by=request.user, now=timezone.now())
    except ValueError:  # no number, or refused
        messages.error(request, _("A probability is a number from 0 to 100 percent."))
    else:
        messages.success(request, _("It holds for the next posts on."))
    return redirect("learning:models", request.workspace.slug)


@require_safe
@permission_required(Permission.EXPORT)
def labels_csv(request: MemberRequest) -> HttpResponse:
    """All labels that hold, as a table."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{request.workspace.slug}-labels.csv"'
    writer = csv.writer(answer)
    writer.writerow(CSV)
    for label in selectors.labels(viewer=request.member):
        writer.writerow([getattr(label, name) for name in CSV])
    return answer


@require_POST
@permission_required(Permission.MARK)
def confirm(request: MemberRequest, post_id: int) -> HttpResponse:
    """An annotation is right as it stands."""
    task = request.POST.get("task", "")
    post = mentions.post_or_404(post_id, viewer=request.member)
    if task not in TASK or post[task] is None:
        raise Http404
    now = timezone.now()
    actions.label_post(request.workspace, post, task=task, value=str(post[task]), drawn=False, by=request.user, now=now)
    messages.success(request, _("Kept: it teaches the next model."))
    back = request.headers.get("referer", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
    return redirect(back if safe else reverse("listening:post", args=(request.workspace.slug, post_id)))


def _crossing(request: MemberRequest, one: Crossed) -> dict[str, Any]:
    """Models beside languages or channels: what stands above, and rows of cells with where their labels are."""
    title, label = (_("By language"), language_name) if one.by == "language" else (_("By channel"), channel_title)
    shown = one.values[:MOST_COLUMNS]
    columns = [_("All"), *(label(value) for value in shown)]
    rows = []
    for task, model, cells in one.rows:
        address = reverse("learning:labels", args=(request.workspace.slug, task))
        named = [{"model": model, "drawn": "1"}, *({"model": model, one.by: value, "drawn": "1"} for value in shown)]
        told = [
            (column, cell, f"{address}?{urlencode(given)}")
            for column, cell, given in zip(columns, cells, named, strict=False)
        ]
        rows.append((TASK[task], model, told))
    left_out = len(one.values) - len(shown)
    return {"title": title, "columns": columns, "rows": rows, "enough": ENOUGH, "left_out": left_out}


def _figures(share: Share) -> list[float | int | str]:
    """A share with its interval and n as a file holds it: no share of nothing."""
    told = [round(value, 4) for value in (share.value, share.low, share.high)]
    return [*(told if share.n else ("", "", "")), share.n]


def _verdict(comparison: Mapping[str, Any]) -> str:
    """What the comparison says, in a sentence."""
    said = {
        "better": _("Better than the shipped model: the difference is more than chance."),
        "worse": _("Worse than the shipped model: the difference is more than chance."),
        "chance": _("Not better: the difference is within chance."),
        "few": _("Nobody can say: fewer than 30 of its held-out labels were drawn by lot."),
    }
    return said[str(comparison["verdict"])]
