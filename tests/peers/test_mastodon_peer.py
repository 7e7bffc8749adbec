"""Mastodon's connector before a real ActivityPub server that does not speak Mastodon's interface."""

import os
from datetime import UTC, datetime

import httpx
import pytest

from talkworthy.connectors.errors import GiveUp
from talkworthy.connectors.http import Http
from talkworthy.connectors.mastodon import Mastodon

pytestmark = pytest.mark.peer
SERVER = os.environ.get("TALKWORTHY_PEER_FEDIFY", "http://localhost:18130")
SETTINGS = {"server": SERVER, "hashtags": "acme"}


def test_a_server_without_the_interface_is_named_by_its_nodeinfo():
    with Http(allow_hosts={httpx.URL(SERVER).netloc.decode()}) as http:
        checked = Mastodon().check(http, SETTINGS, now=datetime.now(UTC))
        assert not checked.ok
        assert "runs fedify-peer 1.0.0, which does not offer the interface of Mastodon" in checked.message
        with pytest.raises(GiveUp):
            Mastodon().fetch(http, SETTINGS, None, now=datetime.now(UTC))


def test_this_machine_is_refused_where_no_administrator_allows_it():
    with Http() as http, pytest.raises(GiveUp, match="administrator"):
        Mastodon().fetch(http, SETTINGS, None, now=datetime.now(UTC))
