"""Pages of labels drawn by lot: labelling a sample, what it says of the models, and the labels behind each number."""

from dataclasses import asdict
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from talkworthy.analysis.training.comparing import ENOUGH, Share
from talkworthy.learning import quality, sampling, selectors
from talkworthy.learning.actions import SURE
from talkworthy.learning.models import Label
from talkworthy.learning.quality import Asked, Row
from talkworthy.listening.actions import Refused
from talkworthy.listening.labels import INTENT, SENTIMENT, TASK, channel_title, language_name, value_label
from talkworthy.query.languages import LANGUAGES
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

PAGE = 50
LARGEST = 2**62


@require_safe
@permission_required(Permission.MARK)
def sample(request: MemberRequest, task: str) -> HttpResponse:
    """The post whose turn it is, how far the sample is, and what is still needed until figures can be told."""
    _known(task)
    drawn = selectors.newest_sample(task, viewer=request.member)
    turn = sampling.next_of(drawn) if drawn else None
    post = turn[1] if turn else None
    told = selectors.labels(viewer=request.member, task=task).filter(drawn=True).count()
    answer = str(post[task]) if post else ""
    context = {
        "task": task,
        "title": TASK[task],
        "sample": drawn,
        "passed": turn[0] if turn else len(drawn.posts) if drawn else 0,
        "labelled": sum(isinstance(step, int) for step in drawn.steps) if drawn else 0,
        "told": told,
        "needed": max(0, ENOUGH - told),
        "post": post,
        "channel": channel_title(post["channel"]) if post else "",
        "answer": answer,
        "answer_label": value_label(task, answer),
        "is_answered": answer != quality.UNDECIDED,
        "choices": [(str(place), name, label) for place, (name, label) in enumerate(_choices(task), start=1)],
        "languages": sorted(LANGUAGES.items(), key=lambda one: one[1]) if task == "detected_language" else (),
    }
    return render(request, "learning/sample.html", context)


@require_POST
@permission_required(Permission.MARK)
def draw(request: MemberRequest, task: str) -> HttpResponse:
    """Draw another sample; the labels of the one before stay."""
    _known(task)
    if sampling.draw_sample(request.workspace, task, by=request.user, now=timezone.now()) is None:
        messages.error(request, _("There is no post to draw: collect some first."))
    return redirect("learning:sample", request.workspace.slug, task)


@require_POST
@permission_required(Permission.MARK)
def step(request: MemberRequest, task: str) -> HttpResponse:
    """Label the post whose turn it is, or skip it."""
    drawn = selectors.newest_sample(_known(task), viewer=request.member)
    named, value = request.POST.get("post", ""), request.POST.get("value", "")
    if drawn is None or not named.removeprefix("-").isdecimal() or (task == "detected_language" and not _code(value)):
        raise Http404
    try:
        now = timezone.now()
        sampling.take_step(request.workspace, drawn, post_id=int(named), value=value, by=request.user, now=now)
    except Refused as error:
        messages.error(request, str(error))
    return redirect("learning:sample", request.workspace.slug, task)


@require_POST
@permission_required(Permission.MARK)
def undo(request: MemberRequest, task: str) -> HttpResponse:
    """Take the last step of the sample back."""
    drawn = selectors.newest_sample(_known(task), viewer=request.member)
    if drawn is not None:
        sampling.undo_step(request.workspace, drawn, by=request.user, now=timezone.now())
    return redirect("learning:sample", request.workspace.slug, task)


@require_safe
@permission_required(Permission.READ)
def quality_page(request: MemberRequest, task: str) -> HttpResponse:
    """Precision, recall and calibration on the labels drawn by lot, each number with the labels behind it."""
    asked = _asked(request, _known(task))
    found = quality.quality(task, asked, viewer=request.member)
    whole = Asked(language=asked.language, channel=asked.channel, model=asked.model, drawn=True)
    groups = [
        (_("By language"), "language", [(row, language_name(row.name)) for row in found.languages]),
        (_("By channel"), "channel", [(row, channel_title(row.name)) for row in found.channels]),
        (_("By model"), "model", [(row, row.name) for row in found.models]),
    ]
    context = {
        "task": task,
        "title": TASK[task],
        "found": found,
        "narrowed": _narrowed(task, asked),
        "rows": _address(request, "labels", task, whole),
        "values": [
            (
                value_label(task, row.value),
                _cell(row.precision, _address(request, "labels", task, _with(whole, answer=row.value))),
                _cell(row.recall, _address(request, "labels", task, _with(whole, value=row.value))),
            )
            for row in found.values
        ],
        "groups": [
            (title, [_group(request, task, whole, name, row, label) for row, label in rows])
            for title, name, rows in groups
        ],
        "enough": ENOUGH,
    }
    return render(request, "learning/quality.html", context)


@require_safe
@permission_required(Permission.READ)
def labels_page(request: MemberRequest, task: str) -> HttpResponse:
    """The labels behind a number, the newest first."""
    asked = _asked(request, _known(task))
    found = quality.labels_asked(task, asked, viewer=request.member)
    before = request.GET.get("before", "")
    page = found.filter(pk__lt=min(int(before), LARGEST)) if before.isdecimal() else found
    rows = list(page[: PAGE + 1])
    words = selectors.words_of([label.post_id for label in rows[:PAGE]], viewer=request.member)
    address = _address(request, "labels", task, asked)
    older = f"{address}{'&' if '?' in address else '?'}before={rows[PAGE - 1].pk}" if len(rows) > PAGE else ""
    context = {
        "task": task,
        "title": TASK[task],
        "narrowed": _narrowed(task, asked),
        "n": found.count(),
        "rows": [(label, words.get(label.post_id) or label.text, *_said(label)) for label in rows[:PAGE]],
        "older": older,
    }
    return render(request, "learning/labels.html", context)


def _known(task: str) -> str:
    if task not in SURE:
        raise Http404
    return task


def _choices(task: str) -> list[tuple[str, str]]:
    words = {"sentiment": SENTIMENT, "intent": INTENT}.get(task, {})
    return [(name, str(label)) for name, label in words.items() if name != quality.UNDECIDED]


def _code(value: str) -> bool:
    """Whether it is a language that has a name here, or none at all: the post is skipped."""
    return not value or value in LANGUAGES


def _asked(request: MemberRequest, task: str) -> Asked:
    given = {name: request.GET.get(name, "")[:120] for name in quality.NARROWS}
    return Asked(**given, drawn=request.GET.get("drawn") == "1")


def _with(asked: Asked, **changes: str) -> Asked:
    return Asked(**{**asdict(asked), **changes})


def _address(request: MemberRequest, page: str, task: str, asked: Asked) -> str:
    """The address of a page of a task that is narrowed like this."""
    given = {name: "1" if value is True else value for name, value in asdict(asked).items() if value}
    address = reverse(f"learning:{page}", args=(request.workspace.slug, task))
    return f"{address}?{urlencode(given)}" if given else address


def _cell(share: Share, address: str) -> tuple[Share, bool, str]:
    """A share, whether it is of too few labels to be told, and where its labels are."""
    return share, share.n < ENOUGH, address


def _group(
    request: MemberRequest, task: str, whole: Asked, name: str, row: Row, label: str
) -> tuple[str, str, tuple[Share, bool, str], float | None]:
    mine = _with(whole, **{name: row.name})
    narrower = _address(request, "quality", task, Asked(**{**asdict(mine), "drawn": False}))
    return label, narrower, _cell(row.right, _address(request, "labels", task, mine)), row.calibration_error


def _narrowed(task: str, asked: Asked) -> list[tuple[str, str]]:
    """By what a page is narrowed, in words."""
    found = [
        (_("Language"), language_name(asked.language) if asked.language else ""),
        (_("Channel"), channel_title(asked.channel) if asked.channel else ""),
        (_("Model"), asked.model),
        (_("The model said"), value_label(task, asked.answer) if asked.answer else ""),
        (_("People say"), value_label(task, asked.value) if asked.value else ""),
    ]
    return [(name, value) for name, value in found if value]


def _said(label: Label) -> tuple[str, str]:
    """What the model and what people said, in words."""
    return value_label(label.task, label.answer) if label.answer else "–", value_label(label.task, label.value)
