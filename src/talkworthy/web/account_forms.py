"""The forms of sign-in and password, in the words of the other pages: a label says it once, in a sentence's case."""

from typing import Any

from allauth.account import forms
from django.forms import Form
from django.utils.translation import gettext as _


class LoginForm(forms.LoginForm):  # type: ignore[misc] # allauth has no types
    """Address and password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, login=_("E-mail address"), password=_("Password"), remember=_("Stay signed in on this device"))


class ChangePasswordForm(forms.ChangePasswordForm):  # type: ignore[misc] # allauth has no types
    """The password of now, and the next one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_first = self.user is not None and self.user.must_change_password
        _say(self, oldpassword=_("The one-time password") if is_first else _("Current password"))
        _say_new_password(self)
        if is_first:
            self.fields["oldpassword"].help_text = _("The one that you have just signed in with.")


class ResetPasswordForm(forms.ResetPasswordForm):  # type: ignore[misc] # allauth has no types
    """The address that the link is sent to."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, email=_("E-mail address"))


class ResetPasswordKeyForm(forms.ResetPasswordKeyForm):  # type: ignore[misc] # allauth has no types
    """A new password, by the link of a mail."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say_new_password(self)


class ReauthenticateForm(forms.ReauthenticateForm):  # type: ignore[misc] # allauth has no types
    """The password once more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say(self, password=_("Password"))


def _say_new_password(form: Form) -> None:
    _say(form, password1=_("New password"), password2=_("New password, once more"))
    form.fields["password1"].help_text = _(
        "At least 10 characters, none of the passwords that everybody uses, and unlike your name and address."
    )


def _say(form: Form, **labels: str) -> None:
    """Name fields, and take away what stands in the empty box: it repeats the label, and goes when one types."""
    for name, label in labels.items():
        form.fields[name].label = label
        form.fields[name].widget.attrs.pop("placeholder", None)
