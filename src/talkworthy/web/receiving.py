"""Where channels call us: webhooks, Webmention, WebSub. Acknowledged only after the payload is durable."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from talkworthy.connectors.contract import Receiving, Request
from talkworthy.connectors.errors import AskForCredentials, ConnectorError
from talkworthy.listening.collecting import MissingConnector, connector_of, keep_page, settings_of, source_key
from talkworthy.listening.models import Source
from talkworthy.listening.stores import payloads_of
from talkworthy.workspaces.credentials import LockedCredentials

LARGEST = 20_000_000
"""Bytes of one call; what is larger is refused with 413."""


@csrf_exempt
def receive(request: HttpRequest, key: str) -> HttpResponse:
    """Take a call for the source that has this key."""
    source = Source.objects.filter(key=key, deleted_at=None).select_related("workspace").first()
    if source is None:
        return _said("There is no receiving address here.", 404)
    if source.state == Source.State.PAUSED:
        return _said("This source is paused.", 503)
    length = request.headers.get("Content-Length") or "0"
    if not length.isdecimal():
        return _said("The length of the call is no number.", 400)
    if int(length) > LARGEST:
        return _said(f"A call may hold at most {LARGEST:,} bytes.", 413)
    try:
        connector = connector_of(source)
    except MissingConnector as error:
        return _said(str(error), 503)
    if not isinstance(connector, Receiving):
        return _said("This source does not take calls.", 404)
    try:
        given = settings_of(source)
    except LockedCredentials:
        return _said("The credentials of this source cannot be read now. Please send it again later.", 503)
    store = payloads_of(source.workspace)
    known = store.cursor(source_key(source))
    call = Request(
        method=request.method or "GET",
        path=request.path,
        query={name: request.GET.getlist(name) for name in request.GET},
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.body,
        received_at=timezone.now(),
    )
    try:
        answer = connector.receive(call, given, known)
    except AskForCredentials as error:
        return _said(str(error), 401)
    except ConnectorError as error:
        return _said(str(error), 400)
    try:
        keep_page(store, source, answer, known=known)
    except OSError:
        return _said("It could not be stored. Please send it again later.", 503)
    if answer.payloads:
        still = Source.objects.filter(pk=source.pk, deleted_at=None).exclude(state=Source.State.PAUSED)
        still.update(last_fetch_at=timezone.now(), state=Source.State.HEALTHY, last_error="")
    return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)


def _said(words: str, status: int) -> HttpResponse:
    return HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")
