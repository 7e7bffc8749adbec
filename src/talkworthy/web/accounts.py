"""How people get and keep their accounts: made by an administrator, first with a one-time password."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.signals import password_changed, password_reset, password_set
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.translation import gettext as _

from talkworthy.workspaces.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts are given, not taken: nobody signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: an administrator adds members."""
        return False

    def clean_password(self, password: str, user: User | None = None) -> str:
        """Refuse the one-time password as the new one."""
        if user is not None and user.must_change_password and user.check_password(password):
            raise ValidationError(_("That is the one-time password. Choose another one, known to you alone."))
        cleaned: str = super().clean_password(password, user)
        return cleaned

    def get_user_search_fields(self) -> list[str]:
        """What a search for people looks at."""
        return ["email", "name"]


@receiver([password_changed, password_reset, password_set])
def note_new_password(sender: object, user: User, **kwargs: Any) -> None:
    """The person has chosen a password of their own."""
    if user.must_change_password:
        user.must_change_password = False
        user.save(update_fields=["must_change_password"])
