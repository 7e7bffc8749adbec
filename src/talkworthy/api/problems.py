"""What went wrong, as RFC 9457 says it: a status, a code that programs can rely on, and what to do, in words."""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from talkworthy.listening.actions import Refused
from talkworthy.listening.periods import BadPeriod
from talkworthy.people.actions.problems import Refused as RefusedOfPeople
from talkworthy.query import QueryError
from talkworthy.responding.actions.problems import Refused as RefusedReply
from talkworthy.responding.actions.problems import Stale as StaleDraft
from talkworthy.responding.selectors.case import told_of
from talkworthy.routing.actions.problems import Outdated, Stale
from talkworthy.routing.actions.problems import Refused as RefusedHere
from talkworthy.workspaces.credentials import LockedCredentials

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

CODES: dict[str, int] = {
    "bad-json": 400,
    "not-signed-in": 401,
    "missing-scope": 403,
    "not-allowed": 403,
    "not-found": 404,
    "wrong-method": 405,
    "paused": 409,
    "stale": 409,
    "too-large": 413,
    "invalid": 422,
    "bad-query": 422,
    "refused": 422,
    "failed": 500,
    "try-later": 503,
}
"""Every code with its status; the reference page is compared with it."""


class Problem(Exception):
    """It was not done: `detail` says what is wrong and what can be done, `more` goes into the answer as it is."""

    def __init__(self, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more


def answer(problem: Problem) -> HttpResponse:
    """The problem as a response."""
    status = CODES[problem.code]
    told = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": problem.code,
        "detail": problem.detail,
        **problem.more,
    }
    return JsonResponse(told, status=status, content_type=MEDIA_TYPE, headers=problem.headers)


def problem_of(error: Exception) -> Problem:
    """The problem that an exception stands for."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, AuthenticationError):
        return not_signed_in(_("This needs a token: send the header “Authorization: Bearer tw_…”."))
    if isinstance(error, Http404):
        return Problem("not-found", str(error) or _("There is nothing here."))
    if isinstance(error, ValidationError):
        return Problem("invalid", _("Something in the request cannot be used; `errors` says where."), errors=_at(error))
    if isinstance(error, QueryError):
        return _bad_query(error)
    if isinstance(error, BadPeriod):
        return Problem("invalid", str(error))
    if isinstance(error, Stale):
        return _stale(error)
    if isinstance(error, StaleDraft | Outdated):
        version = error.version if isinstance(error, Outdated) else error.draft.version
        return Problem("stale", str(error), version=version)
    if isinstance(error, RefusedHere | RefusedReply | RefusedOfPeople):
        return Problem("refused", str(error))
    if isinstance(error, Refused):
        cause = error.__cause__
        return _bad_query(cause) if isinstance(cause, QueryError) else Problem("refused", str(error))
    return _of_machine(error)


def listen_for_problems(api: NinjaAPI) -> None:
    """Let every exception of an operation be answered as a problem."""
    for kind in (
        AuthenticationError, BadPeriod, Exception, Http404, HttpError, Problem, QueryError, Refused, RefusedHere,
        RefusedOfPeople, RefusedReply, Stale, ValidationError,
    ):  # fmt: skip
        api.add_exception_handler(kind, _answered)


def not_signed_in(detail: str) -> Problem:
    """The problem of a token that is missing or does not work."""
    return Problem("not-signed-in", detail, headers={"WWW-Authenticate": 'Bearer realm="talkworthy"'})


def _answered(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    return answer(problem_of(error if isinstance(error, Exception) else error()))


def _of_machine(error: Exception) -> Problem:
    if isinstance(error, RequestDataTooBig):
        return Problem("too-large", _("The request is too large: send it in several parts."))
    if isinstance(error, HttpError):
        return Problem("bad-json", _("The body is not JSON that can be read: %(error)s") % {"error": error})
    if isinstance(error, LockedCredentials):
        return Problem("try-later", str(error))
    log.error("an API call failed", exc_info=error)
    return Problem("failed", _("Something failed here. It stands in the server's log; try again later."))


def _stale(error: Stale) -> Problem:
    changes = [
        {"at": one.at.isoformat(), "who": one.who, "words": one.words} for one in told_of(error.case, error.changes)
    ]
    return Problem("stale", str(error), version=error.case.version, changes=changes)


def _bad_query(error: QueryError) -> Problem:
    return Problem("bad-query", str(error), errors=[each.as_json() for each in error.errors])


def _at(error: ValidationError) -> list[dict[str, str]]:
    return [{"where": ".".join(map(str, each["loc"])), "what": str(each["msg"])} for each in error.errors]
