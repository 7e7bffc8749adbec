"""What a form makes is made once, however often it is sent: by a double click, by a browser that asks again.

The form carries a key that is new with every page. The key and what was filled in are kept in the transaction that
makes the thing; whoever sends both again is led to it, and told so. Another answer under the same key, as after going
back in the browser, is another thing.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from talkworthy.workspaces.models import SentForm
from talkworthy.workspaces.requests import MemberRequest

KEPT_FOR = timedelta(days=1)
KEY = re.compile(r"[0-9a-f]{32}")
UNTOLD = ("once", "csrfmiddlewaretoken")

Given = ParamSpec("Given")


def once(
    view: Callable[Concatenate[MemberRequest, Given], HttpResponse],
) -> Callable[Concatenate[MemberRequest, Given], HttpResponse]:
    """Let a view that makes something, and then leads elsewhere, do so once a key. It must call nothing outside."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Given.args, **kwargs: Given.kwargs) -> HttpResponse:
        key = request.POST.get("once", "")
        if request.method != "POST" or not KEY.fullmatch(key):
            return view(request, *args, **kwargs)
        named = {"member": request.member, "key": key, "filled_in": _filled_in(request)}
        with transaction.atomic():
            try:
                with transaction.atomic():
                    sent = SentForm.objects.create(**named)
            except IntegrityError:  # the other one is done: whoever came second waited for it here
                return _again(request, SentForm.objects.get(**named))
            response = view(request, *args, **kwargs)
            if isinstance(response, HttpResponseRedirect) and not getattr(request, "was_refused", False):
                sent.address = response.url
                sent.save(update_fields=["address"])
                SentForm.objects.filter(member=request.member, at__lt=timezone.now() - KEPT_FOR).delete()
            else:
                sent.delete()  # nothing was made: it may be sent again as it is
        return response

    return guarded  # type: ignore[return-value] # the stub of wraps forgets that it is positional


def note_refusal(request: MemberRequest) -> None:
    """Say that nothing was made, where a view leads elsewhere all the same."""
    request.was_refused = True  # type: ignore[attr-defined] # read by `once` alone


def _again(request: MemberRequest, sent: SentForm) -> HttpResponse:
    messages.info(request, _("It was sent twice, and done once: here it is."))
    return redirect(sent.address)


def _filled_in(request: MemberRequest) -> str:
    """A print of where it was sent and what was filled in."""
    told = sorted((name, values) for name, values in request.POST.lists() if name not in UNTOLD)
    return salted_hmac("sent forms", repr((request.get_full_path(), told)), algorithm="sha256").hexdigest()
