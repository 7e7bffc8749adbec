"""How long it takes from a signed webhook call until the post is on the page, against a running Talkworthy.

    TALKWORTHY_DATA=FOLDER TALKWORTHY_PORT=PORT talkworthy run --empty &
    TALKWORTHY_DATA=FOLDER python benchmarks/latency.py --address http://localhost:PORT [--posts 50]

Run with the same data folder: a webhook source and a session of a member are made there, and the source is deleted
at the end. Each post is sent, and the page of mentions is asked again and again until it shows the post; the next
one is sent after that.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import secrets
import sys
import time
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any

import httpx

PATIENCE = 30.0
PAUSE = 0.02


def main() -> None:
    options = _options()
    os.environ["DJANGO_SETTINGS_MODULE"] = "talkworthy.web.settings"
    import django

    django.setup()
    source, secret, cookie = _prepared()
    from django.conf import settings

    client = httpx.Client(base_url=options.address, cookies={settings.SESSION_COOKIE_NAME: cookie}, timeout=10)
    try:
        told = [_once(client, source, secret, number) for number in range(options.posts + 1)][1:]
    finally:
        type(source).objects.filter(pk=source.pk).update(deleted_at=datetime.now(UTC))
    for name, column in (("acknowledged", 0), ("on the page", 1)):
        cuts = quantiles([pair[column] for pair in told], n=100)
        print(f"{name}: p50 {cuts[49] * 1000:,.0f} ms, p95 {cuts[94] * 1000:,.0f} ms, {len(told)} posts")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="http://localhost:8100")
    parser.add_argument("--posts", type=int, default=50)
    return parser.parse_args()


def _prepared() -> tuple[Any, str, str]:
    """A webhook source, its secret, and the cookie of somebody who has signed in."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.utils import timezone

    from talkworthy.listening import actions
    from talkworthy.workspaces.models import Member, User

    member = Member.objects.select_related("user", "workspace").order_by("pk").first()
    if member is None:
        sys.exit("There is no workspace in this data folder; start Talkworthy on it once.")
    User.objects.filter(pk=member.user.pk).update(must_change_password=False)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    source = actions.create_source(
        member.workspace,
        connector="webhook",
        name="Latency",
        settings={},
        secrets={"secret": secret},
        by=member.user,
        now=timezone.now(),
    )
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(member.user.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = member.user.get_session_auth_hash()
    session.save()
    return source, secret, session.session_key


def _once(client: httpx.Client, source: Any, secret: str, number: int) -> tuple[float, float]:
    """Seconds until a post was acknowledged, and until the page showed it."""
    word = f"latency{secrets.token_hex(6)}"
    at = str(int(time.time()))
    post = {"uid": f"bench::{word}", "text": f"Number {number} {word}", "published_at": datetime.now(UTC).isoformat()}
    body = json.dumps(post).encode()
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), f"{word}.{at}.".encode() + body, hashlib.sha256)
    headers = {
        "content-type": "application/json",
        "webhook-id": word,
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(digest.digest()).decode(),
    }
    began = time.perf_counter()
    answer = client.post(f"/receive/{source.key}/", content=body, headers=headers)
    acknowledged = time.perf_counter() - began
    if answer.status_code != 202:
        sys.exit(f"The call was answered with {answer.status_code}: {answer.text[:200]}")
    while time.perf_counter() - began < PATIENCE:
        page = client.get(f"/{source.workspace.slug}/listen/", params={"period": "all"})
        if page.status_code != 200:
            sys.exit(f"The page was answered with {page.status_code}; is this the data folder of {client.base_url}?")
        if word in page.text:
            return acknowledged, time.perf_counter() - began
        time.sleep(PAUSE)
    sys.exit(f"Post {number} was not on the page within {PATIENCE:.0f} seconds.")


if __name__ == "__main__":
    main()
