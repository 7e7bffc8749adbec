"""The request as a view of a workspace sees it, and the guard that every such view wears."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _

from talkworthy.workspaces.models import Member, User, Workspace
from talkworthy.workspaces.permissions import Permission, may

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails

UNDO = "undo:"
"""Before the address that undoes, in the tags of a message."""

Given = ParamSpec("Given")
Answered = TypeVar("Answered", bound=HttpResponseBase)


class MemberRequest(HttpRequest):
    """A request to a page of a workspace, made by one of its members."""

    user: User
    member: Member
    workspace: Workspace
    htmx: "HtmxDetails"
    csp_nonce: str


def permission_required(
    permission: Permission,
) -> Callable[
    [Callable[Concatenate[MemberRequest, Given], Answered]], Callable[Concatenate[MemberRequest, Given], Answered]
]:
    """Refuse members whose role lacks the permission, with 403 and the name of what is lacking."""

    def guard(
        view: Callable[Concatenate[MemberRequest, Given], Answered],
    ) -> Callable[Concatenate[MemberRequest, Given], Answered]:
        @wraps(view)
        def guarded(request: MemberRequest, *args: Given.args, **kwargs: Given.kwargs) -> Answered:
            if not may(request.member.role, permission):
                raise PermissionDenied(
                    _("This needs the permission “%(permission)s”, which your role “%(role)s” does not give.")
                    % {"permission": permission.value, "role": request.member.role}
                )
            return view(request, *args, **kwargs)

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value] # the stub of wraps forgets that it is positional

    return guard


def offer_undo(request: HttpRequest, text: str, address: str) -> None:
    """Say what was done, with a button that undoes it: a POST to the address, which must need no further field."""
    messages.success(request, text, extra_tags=f"{UNDO}{address}")
