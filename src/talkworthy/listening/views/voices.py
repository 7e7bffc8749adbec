"""Voices: who carries the conversation, with what says so, each leading to their posts."""

import csv
import io
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from talkworthy.analysis.voices import ANSWER, MENTION, SHARE
from talkworthy.listening.filters import Filter
from talkworthy.listening.labels import channel_title
from talkworthy.listening.models import Voice, VoicesCounted
from talkworthy.listening.selectors import jobs
from talkworthy.listening.selectors import voices as selectors
from talkworthy.listening.views.drawing import plain
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

LAST_PAGE = 10_000
SORTS = {
    "influence": gettext_lazy("Influence"),
    "reach": gettext_lazy("Reach"),
    "relevance": gettext_lazy("Relevance"),
    "credibility": gettext_lazy("Credibility"),
    "posts": gettext_lazy("Posts"),
}
COUNTED = {
    "follower_count": gettext_lazy("followers"),
    "following_count": gettext_lazy("accounts that it follows"),
    "mentions_received": gettext_lazy("people who answer, share or name it"),
    "retweets_received": gettext_lazy("shares of its posts"),
    "mentions_sent": gettext_lazy("posts that answer or name others"),
    "retweets_sent": gettext_lazy("posts that it shares"),
    "posts": gettext_lazy("posts of its own"),
}
SIGNS = {
    "verified": gettext_lazy("the channel vouches for it"),
    "automated": gettext_lazy("it says that it is a program"),
    "answered": gettext_lazy("share of its posts that somebody answered or shared"),
    "copies": gettext_lazy("share of its posts whose text was there before"),
    "follows more": gettext_lazy("times as many that it follows as follow it"),
    "known for": gettext_lazy("days from its first post here to its last"),
    "haste": gettext_lazy("posts a day"),
}
ACTS = {
    SHARE: gettext_lazy("shares it"),
    ANSWER: gettext_lazy("answers it"),
    MENTION: gettext_lazy("names it"),
}


@require_GET
@permission_required(Permission.READ)
def voices(request: MemberRequest) -> HttpResponse:
    """Accounts by how far they are heard."""
    viewer = request.member
    channel, sort, page = _asked(request)
    state = selectors.counted(viewer=viewer)
    heard = selectors.voices(viewer=viewer, channel=channel, sort=sort, page=page)
    base = reverse("listening:voices", args=(request.workspace.slug,))

    def address(**changes: Any) -> str:
        parts = {"channel": channel, "sort": sort, "page": 1, **changes}
        kept = {name: value for name, value in parts.items() if value not in ("", 1, "influence")}
        return f"{base}?{urlencode(kept)}" if kept else base

    channels = list(state.middles) if state else []
    context = {
        "state": state,
        "rows": [_row(request, voice, state) for voice in heard.voices] if state else [],
        "has_posts": state is not None or jobs.has_posts(viewer=viewer),
        "channels": [("", _("All channels"), address(channel=""), not channel)]
        + [(name, channel_title(name), address(channel=name), name == channel) for name in sorted(channels)],
        "sorts": [(name, title, address(sort=name), name == sort) for name, title in SORTS.items()],
        "newer": address(page=page - 1) if page > 1 else "",
        "older": address(page=page + 1) if heard.older else "",
        "page": page,
        "export": f"{reverse('listening:voices_file', args=(request.workspace.slug,))}?"
        + urlencode({"channel": channel, "sort": sort}),
    }
    return render(request, "listening/trends/voices.html", context)


@require_GET
@permission_required(Permission.EXPORT)
def voices_file(request: MemberRequest) -> HttpResponse:
    """The accounts as CSV; a byte order mark lets spreadsheets read it as UTF-8."""
    channel, sort, _page = _asked(request)
    held = io.StringIO()
    held.write("\ufeff")
    writer = csv.writer(held)
    writer.writerow(selectors.COLUMNS)
    for row in selectors.as_rows(selectors.ordered(viewer=request.member, channel=channel, sort=sort)):
        writer.writerow([plain(value) for value in row])
    answer = HttpResponse(held.getvalue().encode(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="talkworthy-voices.csv"'
    return answer


def _asked(request: MemberRequest) -> tuple[str, str, int]:
    sort, page = request.GET.get("sort", ""), request.GET.get("page", "")
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1
    channel = request.GET.get("channel", "")[:40].replace("\x00", "")
    return channel, sort if sort in SORTS else "influence", min(max(number, 1), LAST_PAGE)


def _row(request: MemberRequest, voice: Voice, state: VoicesCounted) -> dict[str, Any]:
    slug = request.workspace.slug
    posts = Filter(channels=(voice.channel,), authors=(voice.account,), period="all")
    return {
        "voice": voice,
        "shown": voice.name or voice.handle or voice.account,
        "channel": channel_title(voice.channel),
        "posts": f"{reverse('listening:river', args=(slug,))}?{posts.address}",
        "terms": [
            (COUNTED[term.count], term.first, term.second, term.gain) for term in selectors.terms_of(voice, state)
        ],
        "signs": [(SIGNS[name], value, points) for name, points, value in voice.signs if round(points, 2)],
        "acts": [(reverse("listening:post", args=(slug, number)), ACTS[kind]) for number, kind in voice.acts[:5]],
    }
