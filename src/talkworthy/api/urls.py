"""Addresses of the REST interface; every answer below them is JSON, also for what is not there."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import conditional_page

from talkworthy.api.interface import api
from talkworthy.api.problems import Problem, answer

View = Callable[..., HttpResponse]


@csrf_exempt
def missing(request: HttpRequest) -> HttpResponse:
    """No operation has this address."""
    words = _("There is no operation at this address. All of them stand in %(address)s.")
    return answer(Problem("not-found", words % {"address": "/api/openapi.json"}))


def _told(view: View) -> View:
    """Say which methods there are where a wrong one was used; what is read carries an ETag, and is not sent twice."""
    held = conditional_page(view)

    @wraps(view, assigned=("__name__", "__doc__") if hasattr(view, "__name__") else ())
    def telling(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = held(request, *args, **kwargs)
        if response.status_code != 405:
            return response
        allowed = response.headers["Allow"]
        words = _("This address does not take %(method)s, only %(allowed)s.")
        said = words % {"method": request.method, "allowed": allowed}
        return answer(Problem("wrong-method", said, headers={"Allow": allowed}))

    return telling


def _own_urls() -> tuple[list[Any], str, str]:
    patterns, app, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = missing if pattern.name == "api-root" else _told(pattern.callback)
    return patterns, app, namespace


urlpatterns = [path("", _own_urls()), re_path(r"", missing)]
