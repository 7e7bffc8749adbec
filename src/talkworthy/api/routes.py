"""How an operation is declared: its address, its scope, and what it answers."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.utils.translation import gettext as _
from ninja import Router, Schema

from talkworthy.api.problems import Problem
from talkworthy.api.tokens import Bearer, CallerRequest

Operation = TypeVar("Operation", bound=Callable[..., Any])


def operation(
    router: Router, method: str, path: str, *, scope: str | None, response: Any, more: dict[str, Any] | None = None
) -> Callable[[Operation], Operation]:
    """Add a function to the interface; `more` goes into its OpenAPI description. No scope: every good token will do."""

    def add(function: Operation) -> Operation:
        summary, _blank, description = (function.__doc__ or "").partition("\n")
        router.add_api_operation(
            path,
            [method],
            function,
            auth=Bearer(scope),
            response=response,
            operation_id=function.__name__,
            url_name=function.__name__,
            summary=summary.strip(),
            description="\n".join(line.strip() for line in description.strip().splitlines()),
            openapi_extra={"x-scope": scope, **(more or {})},
        )
        return function

    return add


def known_names(request: CallerRequest, shape: type[Schema]) -> None:
    """Refuse names in the address that are not known: a slip in a filter would find too much."""
    unknown = sorted(request.GET.keys() - shape.model_fields.keys())
    if unknown:
        words = _("There is no parameter “%(name)s”. Known are: %(known)s.")
        raise Problem("invalid", words % {"name": unknown[0], "known": ", ".join(shape.model_fields)})
