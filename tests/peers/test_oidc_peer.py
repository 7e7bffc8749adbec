"""A certified provider (oidc-provider for Node): signed tokens, PKCE, consent. Start it with start-oidc.

Its client must know `http://testserver/account/oidc/oidc/login/callback/` as a redirect address.
"""

import os
import re
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from django.test import Client

from talkworthy.web.configuration import IdentityProvider, providers_of
from talkworthy.workspaces.models import User

pytestmark = [pytest.mark.peer, pytest.mark.django_db]

ISSUER = os.environ.get("OIDC_URL", "http://localhost:18170")
FORM = re.compile(r'<form[^>]* action="([^"]+)"')


def signed_in_as(name: str) -> tuple[int, bool]:
    """Press the button, sign in and consent at the provider, and come back; the status, and whether one is in."""
    client = Client()
    there = client.post("/account/oidc/oidc/login/").headers["Location"]
    assert "code_challenge_method=S256" in there
    with httpx.Client() as browser:
        answer = browser.get(there)
        for _step in range(12):
            address = answer.headers.get("location", "")
            if address.startswith("http://testserver/"):
                back = client.get(address.removeprefix("http://testserver"))
                return back.status_code, "_auth_user_id" in client.session
            answer = browser.get(urljoin(ISSUER, address)) if address else _sent(browser, answer, name)
    raise AssertionError("the provider did not send the browser back")


def _sent(browser: httpx.Client, page: httpx.Response, name: str) -> httpx.Response:
    found = FORM.search(page.text)
    assert found is not None, page.text
    prompt = "login" if 'name="login"' in page.text else "consent"
    given = {"prompt": prompt, "login": name, "password": "any"}
    return browser.post(urljoin(ISSUER, found[1]), data=given)


@pytest.fixture(autouse=True)
def _provider(settings: Any) -> None:
    settings.SOCIALACCOUNT_PROVIDERS = providers_of(IdentityProvider("Peer", ISSUER, "acme", "acme-secret"))


def test_a_verified_address_with_an_account_is_let_in() -> None:
    User.objects.create_user("ann@acme.test")
    assert signed_in_as("ann") == (302, True)


def test_an_unverified_address_and_one_without_an_account_are_refused_and_none_is_made() -> None:
    User.objects.create_user("unverified@acme.test")
    assert signed_in_as("unverified") == (403, False)
    assert signed_in_as("eve") == (403, False)
    assert User.objects.count() == 1


def test_a_wrong_secret_of_the_client_lets_nobody_in(settings: Any) -> None:
    User.objects.create_user("ann@acme.test")
    settings.SOCIALACCOUNT_PROVIDERS = providers_of(IdentityProvider("Peer", ISSUER, "acme", "wrong"))
    assert signed_in_as("ann") == (401, False)
