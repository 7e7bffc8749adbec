"""Posts of the same matter: beside a post, said of by people, and what their words make of the limit."""

import csv
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from talkworthy.analysis.similarity import NAME as SIMILAR
from talkworthy.learning import actions, likening, pairing, selectors
from talkworthy.learning.likening import Alike
from talkworthy.listening.actions import Refused
from talkworthy.listening.cards import Cards
from talkworthy.listening.selectors import mentions
from talkworthy.listening.views.drawing import plain
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required

PAIRS_CSV = ("text_a", "text_b", "label", "uid_a", "uid_b", "probability", "model", "by", "at")


@require_safe
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def similar(request: MemberRequest, post_id: int) -> HttpResponse:
    """Posts that speak of the same matter; a part of the post's page that comes when it is ready."""
    row = mentions.post_or_404(post_id, viewer=request.member)
    found = likening.alike(row, request.workspace)
    posts = [one.post["id"] for one in (*found.alike, *found.doubtful)]
    full = {post["id"]: post for post in mentions.posts_of_ids(posts, viewer=request.member)}
    cards = Cards(request.workspace.slug, mentions.monitors_of(viewer=request.member), now=timezone.now())

    def shown(some: tuple[Alike, ...]) -> list[tuple[Alike, Any]]:
        return [(one, cards.card(full[one.post["id"]])) for one in some if one.post["id"] in full]

    context = {
        "post_id": post_id,
        "found": found,
        "alike": shown(found.alike),
        "doubtful": shown(found.doubtful),
        "title": (row["title"] or row["text"] or "")[:120],
    }
    return render(request, "learning/similar.html#found" if request.htmx else "learning/similar.html", context)


@require_POST
@permission_required(Permission.MARK)
def mark_pair(request: MemberRequest, post_id: int) -> HttpResponse:
    """Say whether two posts are of the same matter; the answer offers to undo it."""
    named, same = request.POST.get("other", ""), request.POST.get("same")
    if same not in ("yes", "no") or not named.removeprefix("-").isdecimal():
        raise Http404
    row = mentions.post_or_404(post_id, viewer=request.member)
    other = mentions.post_or_404(int(named), viewer=request.member)
    probability = likening.probability_of(row, other, request.workspace)
    try:
        pair = actions.say_of_pair(
            request.workspace,
            row,
            other,
            same=same == "yes",
            probability=probability,
            by=request.user,
            now=timezone.now(),
        )
    except Refused as error:
        messages.error(request, str(error))
    else:
        said = _("Kept: the same matter.") if pair.same else _("Kept: not the same matter.")
        offer_undo(request, said, reverse("learning:take_pair_back", args=(request.workspace.slug, pair.pk)))
    return redirect("listening:post", request.workspace.slug, post_id)


@require_POST
@permission_required(Permission.MARK)
def take_back(request: MemberRequest, pair_id: int) -> HttpResponse:
    """Let what was said of two posts hold no longer."""
    pair = get_object_or_404(selectors.pairs(viewer=request.member), pk=pair_id)
    actions.take_pair_back(pair, by=request.user, now=timezone.now())
    messages.success(request, _("Taken back."))
    return redirect("listening:post", request.workspace.slug, pair.first_id)


@require_safe
@permission_required(Permission.READ)
def matter(request: MemberRequest) -> HttpResponse:
    """What people said of pairs, and what each limit would make of them."""
    found = pairing.judged(viewer=request.member, held=likening.least_of(request.workspace))
    context = {
        "found": found,
        "enough": pairing.ENOUGH,
        "each": pairing.ENOUGH_OF_EACH,
        "shipped": likening.LEAST,
        "is_own": found.held != likening.LEAST,
    }
    return render(request, "learning/matter.html", context)


@require_POST
@permission_required(Permission.TRAIN_MODELS)
def set_limit(request: MemberRequest) -> HttpResponse:
    """Save the probability from which posts are shown as of the same matter; an empty field is the shipped one."""
    asked = request.POST.get("least", "").strip().replace(",", ".")
    try:
        least = float(asked) / 100 if asked else None
        before = actions.set_sureness(request.workspace, SIMILAR, least, by=request.user, now=timezone.now())
    except ValueError:  # no number, or refused
        messages.error(request, _("A probability is a number from 0 to 100 percent."))
    else:
        held = likening.LEAST if before is None else before
        said = _("It holds from the next look on. Before, it was %(percent)s %%.") % {"percent": round(100 * held, 1)}
        messages.success(request, said)
    return redirect("learning:matter", request.workspace.slug)


@require_safe
@permission_required(Permission.EXPORT)
def pairs_csv(request: MemberRequest) -> HttpResponse:
    """What people said of pairs, as `talkworthy evaluate similar` reads it."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{request.workspace.slug}-similar.csv"'
    writer = csv.writer(answer)
    writer.writerow(PAIRS_CSV)
    for pair, first, second in selectors.pairs_with_words(viewer=request.member):
        said = "yes" if pair.same else "no"
        rest = (pair.first_uid, pair.second_uid, pair.probability, pair.model, pair.by or "", pair.at.isoformat())
        writer.writerow([plain(value) for value in (first, second, said, *rest)])
    return answer
