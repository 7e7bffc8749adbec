"""Channel credentials at rest: encrypted with a key that stands outside the database."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class LockedCredentials(ValueError):
    """They were encrypted with another key: put that key back, or give the credentials anew."""


def sealed(credentials: Mapping[str, Any]) -> bytes:
    """Encrypt; an empty mapping is empty bytes."""
    return _fernet().encrypt(json.dumps(dict(credentials)).encode()) if credentials else b""


def opened(stored: bytes | memoryview) -> dict[str, Any]:
    """Decrypt; raise LockedCredentials where the key is not the one that sealed them."""
    data = bytes(stored)
    if not data:
        return {}
    try:
        found = json.loads(_fernet().decrypt(data))
    except InvalidToken as error:
        raise LockedCredentials(
            "These credentials were encrypted with another key. Restore TALKWORTHY_SECRET_KEY (or secret.key in the "
            "data folder), or enter the credentials again."
        ) from error
    return dict(found)


def _fernet() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"credentials:" + settings.SECRET_KEY.encode()).digest()))
