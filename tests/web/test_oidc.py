"""Sign-in through OpenID Connect: a verified address finds its account, and nobody gets one by signing in."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.test import Client

from talkworthy.web.configuration import BadSetting, IdentityProvider, form_targets_of, providers_of, read_configuration
from talkworthy.web.middleware import policy
from talkworthy.workspaces.models import Member, User

PASSWORD = "correct horse battery"
SAID = {
    "NAME": "Acme ID",
    "ISSUER": "https://id.example.org/realms/acme/",
    "CLIENT_ID": "talkworthy",
    "CLIENT_SECRET": "of-the-client",
}
LOGIN, CALLBACK = "/account/oidc/oidc/login/", "/account/oidc/oidc/login/callback/"


def read(folder, **said):
    given = {f"TALKWORTHY_OIDC_{name}": value for name, value in said.items()}
    return read_configuration({"TALKWORTHY_DATA": str(folder), **given})


class Provider(HTTPServer):
    """Speaks the part of OpenID Connect that the server sees; `claims` are what it says of whoever comes."""

    claims: dict[str, Any]
    token_request: dict[str, list[str]]

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answers(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        issuer = self.server.issuer
        self._say(
            self.server.claims
            if self.path == "/me"
            else {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/auth",
                "token_endpoint": f"{issuer}/token",
                "userinfo_endpoint": f"{issuer}/me",
                "jwks_uri": f"{issuer}/jwks",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
        )

    def do_POST(self) -> None:
        self.server.token_request = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self._say({"access_token": "opaque", "token_type": "Bearer", "expires_in": 60})

    def _say(self, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: what it answers is looked at by the tests."""


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with Provider(("127.0.0.1", 0), Answers) as provider:
        thread = threading.Thread(target=provider.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield provider
        provider.shutdown()
        thread.join()


@pytest.fixture
def provider(running, settings):
    chosen = IdentityProvider("Acme ID", running.issuer, "talkworthy", "of-the-client")
    settings.SOCIALACCOUNT_PROVIDERS = providers_of(chosen)
    return running


def come(provider, client=None, **claims):
    """Press the button, be vouched for, and come back."""
    provider.claims = {"sub": "u-1", **claims}
    client = client or Client()
    away = client.post(f"{LOGIN}?process={claims.pop('process', 'login')}")
    (state,) = parse_qs(urlsplit(away.headers["Location"]).query)["state"]
    return client, client.get(CALLBACK, {"code": "once", "state": state})


def is_in(client):
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("missing", SAID)
def test_settings_of_which_one_is_missing_are_refused_by_its_name(tmp_path, missing):
    rest = {name: value for name, value in SAID.items() if name != missing}
    with pytest.raises(BadSetting, match=f"give TALKWORTHY_OIDC_{missing} too"):
        read(tmp_path, **rest)


@pytest.mark.parametrize(
    "issuer", ["http://id.example.org", "id.example.org", "https://", "https://id.example.org?x=1"]
)
def test_an_issuer_that_others_could_listen_to_is_refused(tmp_path, issuer):
    with pytest.raises(BadSetting, match="TALKWORTHY_OIDC_ISSUER"):
        read(tmp_path, **{**SAID, "ISSUER": issuer})


@pytest.mark.parametrize("issuer", ["http://localhost:9000", "http://127.0.0.1:9000", "http://[::1]:9000"])
def test_on_this_machine_an_issuer_needs_no_certificate_and_the_form_may_lead_there(tmp_path, issuer):
    found = read(tmp_path, **{**SAID, "ISSUER": issuer}).identity_provider
    assert found is not None and form_targets_of(found) == ["https:", issuer]


def test_with_all_settings_there_is_a_provider_and_without_any_there_is_none(tmp_path):
    found = read(tmp_path, **SAID).identity_provider
    assert found == IdentityProvider("Acme ID", "https://id.example.org/realms/acme", "talkworthy", "of-the-client")
    assert form_targets_of(found) == ["https:"]
    assert read(tmp_path).identity_provider is None and providers_of(None) == {}


def test_the_policy_lets_the_form_of_the_sign_in_page_alone_go_to_the_provider(settings):
    settings.SIGN_IN_FORM_TARGETS = ["https:", "http://localhost:9000"]
    assert "form-action 'self' https: http://localhost:9000;" in policy("n", "/account/login/")
    assert "form-action 'self';" in policy("n", "/acme/")


def test_the_button_is_there_only_where_a_provider_is_set(db, provider, settings):
    assert b"Sign in with Acme ID" in Client().get("/account/login/").content
    settings.SOCIALACCOUNT_PROVIDERS = {}
    assert b"Sign in with" not in Client().get("/account/login/").content


def test_a_verified_address_comes_into_its_account_and_its_password_stays(provider, bob):
    client, answer = come(provider, email="Bob@Example.org", email_verified=True)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(bob.pk)
    assert client.get("/acme/inbox/").status_code == 200
    assert User.objects.get(pk=bob.pk).check_password(PASSWORD)
    assert "code_verifier" in provider.token_request
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("verified", [False, None, "false", "no", 0])
def test_an_address_that_is_not_verified_is_refused(provider, bob, verified):
    client, answer = come(provider, email="bob@example.org", email_verified=verified)
    assert answer.status_code == 403 and not is_in(client)
    assert b"has not verified that bob@example.org is yours" in answer.content


def test_an_address_without_an_account_is_told_what_to_do_and_gets_none(provider, bob):
    before = User.objects.count(), Member.objects.count()
    client, answer = come(provider, email="eve@example.org", email_verified=True)
    assert answer.status_code == 403 and not is_in(client)
    assert b"Ask an administrator of your workspace to add eve@example.org" in answer.content
    assert (User.objects.count(), Member.objects.count()) == before


def test_without_an_address_nobody_is_found(provider, bob):
    client, answer = come(provider, email_verified=True)
    assert answer.status_code == 403 and not is_in(client) and b"no e-mail address" in answer.content


def test_an_account_that_was_closed_stays_closed(provider, bob):
    User.objects.filter(pk=bob.pk).update(is_active=False)
    client, answer = come(provider, email="bob@example.org", email_verified=True)
    assert answer.status_code == 403 and not is_in(client)


def test_a_second_factor_is_asked_for_here_too(provider, bob):
    TOTP.activate(bob, generate_totp_secret())
    client, answer = come(provider, email="bob@example.org", email_verified=True)
    assert answer.headers["Location"] == "/account/2fa/authenticate/" and not is_in(client)
    assert Authenticator.objects.filter(user=bob).exists()


def test_a_one_time_password_ends_when_its_owner_comes_through_the_provider(provider, bob):
    User.objects.filter(pk=bob.pk).update(must_change_password=True)
    client, _answer = come(provider, email="bob@example.org", email_verified=True)
    bob.refresh_from_db()
    assert not bob.must_change_password and not bob.has_usable_password()
    assert client.get("/acme/inbox/").status_code == 200


def test_no_other_identity_is_tied_to_an_account(provider, bob, client_of):
    client, answer = come(provider, client_of(bob), email="eve@example.org", email_verified=True, process="connect")
    assert answer.status_code == 401 and not SocialAccount.objects.exists() and is_in(client)


def test_nobody_takes_the_address_of_another_for_their_account(client_of, bob):
    client_of(bob).post("/account/email/", {"action_add": "", "email": "ceo@example.org"})
    assert not bob.emailaddress_set.filter(email="ceo@example.org").exists()


def test_a_state_that_is_not_this_browser_s_is_refused(provider, bob):
    answer = Client().get(CALLBACK, {"code": "once", "state": "of-another"})
    assert answer.status_code == 401 and b"cannot be used" in answer.content


def test_a_provider_that_does_not_answer_is_said_to(db, settings):
    settings.SOCIALACCOUNT_PROVIDERS = providers_of(IdentityProvider("Gone", "http://127.0.0.1:9", "a", "b"))
    answer = Client().post(LOGIN)
    assert answer.status_code == 502 and b"does not answer" in answer.content
