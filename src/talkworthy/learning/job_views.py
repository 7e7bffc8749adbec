"""A page of a job of learning: what moves while it works, and the whole page once it is done."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from talkworthy.workspaces.requests import MemberRequest


def job_page(request: MemberRequest, template: str, context: Mapping[str, Any], *, is_open: bool) -> HttpResponse:
    """The page; a part that asks again gets how far it is, and is told to load the page when that is over."""
    asked = f"{template}#state" if request.htmx and is_open else template
    answer = render(request, asked, {**context, "is_open": is_open})
    if request.htmx and not is_open:
        answer["HX-Refresh"] = "true"
    return answer
