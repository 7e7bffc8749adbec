"""Writing to a channel, once: what a broken call means, files in forms, and finding again what was written."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from talkworthy.connectors.contract import Attachment, Outgoing
from talkworthy.connectors.errors import ConnectorError, GiveUp, TryLater, Unsure
from talkworthy.connectors.http import Http
from talkworthy.connectors.replies import Response, TooLarge, has_left

SLACK = timedelta(minutes=5)
"""How far a channel's clock may be behind ours when it is searched."""


def post_once(http: Http, url: str, **options: Any) -> Response:
    """POST, and never twice. TryLater where surely nothing arrived or the channel asks for a pause; else Unsure.

    A server that fails may have kept what it was given: every 5xx is Unsure, unless it says when to come back.
    """
    try:
        response = http.request("POST", url, **options)
    except TooLarge as error:
        raise Unsure(str(error)) from error
    except TryLater as error:
        if has_left(error):
            raise Unsure(str(error)) from error
        raise
    if response.status >= 500 and not (response.status == 503 and response.wait is not None):
        raise Unsure(f"the server answered {response.status}")
    return response


def accepted(response: Response) -> dict[str, Any]:
    """The JSON object of a reply that accepted something; Unsure where it cannot be read."""
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise Unsure("the answer could not be read") from error
    if not isinstance(found, dict):
        raise Unsure("the answer could not be read")
    return found


def reason(response: Response, *names: str) -> str:
    """What a reply says of itself under one of the names, cut short; empty where it says nothing."""
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    for name in names:
        value = found.get(name) if isinstance(found, dict) else None
        if isinstance(value, list):
            value = "; ".join(str(one) for one in value)
        if isinstance(value, str) and value:
            return value[:300]
    return ""


def multipart(fields: Mapping[str, str], name: str, file: Attachment) -> tuple[bytes, str]:
    """A form with one file, and its content type. The boundary follows from the content, so it is always the same."""
    boundary = "talkworthy-" + blake2b(file.body, digest_size=16).hexdigest()
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
        if value
    ]
    safe = re.sub(r'["\r\n\\]', "_", file.name)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{safe}"\r\n'
    lines.append(f"{head}Content-Type: {file.content_type}\r\n\r\n".encode())
    return b"".join(
        [*lines, file.body, f"\r\n--{boundary}--\r\n".encode()]
    ), f"multipart/form-data; boundary={boundary}"


def marker(key: str) -> str:
    """A mark for channels that keep comments nobody sees; nothing in it tells of anybody."""
    return f"<!-- talkworthy:{key} -->"


def same_words(one: str, other: str) -> bool:
    """Whether two texts say the same, whatever a channel did to blanks, quotes and dashes."""
    return _bare(one) == _bare(other)


def _bare(text: str) -> str:
    return re.sub(r"\W+", "", text).casefold()


def since(outgoing: Outgoing, now: datetime) -> datetime:
    """From when on a channel is searched for a reply."""
    return (outgoing.began_at or now) - SLACK


def answered(outgoing: Outgoing, channel: str) -> Mapping[str, Any]:
    """The post that is answered; GiveUp where there is none, as nothing here begins a thread."""
    if outgoing.in_reply_to.get("channel") != channel:
        raise GiveUp("What it should answer is not known here any more.")
    return outgoing.in_reply_to


def first_of(found: Iterable[Any]) -> Any:
    """The first, or None."""
    return next(iter(found), None)


__all__ = [
    "ConnectorError",
    "accepted",
    "answered",
    "first_of",
    "marker",
    "multipart",
    "post_once",
    "reason",
    "same_words",
    "since",
]
