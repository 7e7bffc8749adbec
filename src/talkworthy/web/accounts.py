"""How people get and keep their accounts: made by an administrator, first with a one-time password.

Through an identity provider somebody comes in who has an account already. The address decides, each time: nothing of
the provider's is kept that could let somebody in after the address has gone to another.
"""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.signals import password_changed, password_reset, password_set, user_logged_in
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from django.contrib.auth import update_session_auth_hash
from django.core.exceptions import PermissionDenied, ValidationError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from requests import RequestException

from talkworthy.workspaces.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc] # allauth has no types
    """Accounts are given, not taken: nobody signs up by themselves."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": gettext_lazy(
            "This address and this password do not belong together. Try again, or let us send you a link for a new one."
        ),
        "enter_current_password": gettext_lazy("That is not the password that you have now. Type it once more."),
        "incorrect_password": gettext_lazy("That is not your password. Type it once more."),
        "too_many_login_attempts": gettext_lazy(
            "Too many attempts failed. Wait five minutes, or let us send you a link for a new password."
        ),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: an administrator adds members."""
        return False

    def clean_password(self, password: str, user: User | None = None) -> str:
        """Refuse the one-time password as the new one."""
        if user is not None and user.must_change_password and user.check_password(password):
            raise ValidationError(_("That is the one-time password. Choose another one, known to you alone."))
        cleaned: str = super().clean_password(password, user)
        return cleaned

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """On to the workspace: whoever has changed the password is done here."""
        return reverse("home")

    def get_user_search_fields(self) -> list[str]:
        """What a search for people looks at."""
        return ["email", "name"]


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc] # allauth has no types
    """The second factor, whose errors say what to do."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": gettext_lazy("This code is not right, or too old. Type the one that the app shows now.")
    }


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc] # allauth has no types
    """Whoever a provider vouches for comes into their account here, where an administrator has made one."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find the account of a verified address, or answer with a page that says why nobody is let in."""
        if sociallogin.state.get("process") != AuthProcess.LOGIN:
            raise PermissionDenied  # an account is found by its address, and no other identity is tied to it
        user = _account_of(sociallogin)
        if user is None:
            raise ImmediateHttpResponse(_refused(request, sociallogin))
        sociallogin.user = user

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Never: an administrator adds members."""
        return False


def to_provider(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send the browser to the provider, or say that the provider does not answer."""
    try:
        answer: HttpResponse = openid_connect.login(request, provider_id)
    except RequestException:
        return render(request, "socialaccount/authentication_error.html", {"is_silent": True}, status=502)
    return answer


def _account_of(sociallogin: SocialLogin) -> User | None:
    for address in sociallogin.email_addresses:
        if _is_verified(address.verified):
            user = User.objects.filter(email__iexact=address.email, is_active=True).first()
            if user is not None:
                return user
    return None


def _is_verified(said: object) -> bool:
    """Providers say it as true or "true"; any other text, such as "false", is a no."""
    return said is True or said == "true"


def _refused(request: HttpRequest, sociallogin: SocialLogin) -> HttpResponse:
    addresses = sociallogin.email_addresses
    said = {
        "address": addresses[0].email if addresses else "",
        "is_verified": any(_is_verified(address.verified) for address in addresses),
        "provider": sociallogin.provider.name,
    }
    return render(request, "socialaccount/refused.html", said, status=403)


@receiver(user_logged_in)
def end_one_time_password(sender: object, request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Who comes through a provider needs no password: the one that an administrator knows is ended, not changed."""
    if kwargs.get("sociallogin") is not None and user.must_change_password:
        user.set_unusable_password()
        user.must_change_password = False
        user.save(update_fields=["password", "must_change_password"])
        update_session_auth_hash(request, user)


@receiver([password_changed, password_reset, password_set])
def note_new_password(sender: object, user: User, **kwargs: Any) -> None:
    """The person has chosen a password of their own."""
    if user.must_change_password:
        user.must_change_password = False
        user.save(update_fields=["must_change_password"])
