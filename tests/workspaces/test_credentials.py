"""Channel credentials lie encrypted, and another key does not open them."""

import pytest

from talkworthy.workspaces.credentials import LockedCredentials, opened, sealed


def test_what_was_sealed_opens_with_the_same_key():
    secrets = {"token": "zażółć", "number": 7}
    assert opened(sealed(secrets)) == secrets
    assert opened(memoryview(sealed(secrets))) == secrets


def test_nothing_of_it_can_be_read_at_rest():
    assert b"hunter2" not in sealed({"password": "hunter2"})


def test_the_same_credentials_look_different_each_time():
    assert sealed({"token": "a"}) != sealed({"token": "a"})


def test_no_credentials_take_no_room():
    assert sealed({}) == b"" and opened(b"") == {}


def test_another_key_is_refused_with_the_remedy(settings):
    stored = sealed({"token": "a"})
    settings.SECRET_KEY = "another key"
    with pytest.raises(LockedCredentials, match=r"secret\.key.*enter the credentials again"):
        opened(stored)


def test_what_was_changed_at_rest_is_refused():
    stored = bytearray(sealed({"token": "a"}))
    stored[20] ^= 1
    with pytest.raises(LockedCredentials):
        opened(bytes(stored))
