"""A channel of the tests' own, which does as it is told."""

from types import MappingProxyType
from typing import ClassVar

import pytest

from talkworthy.connectors import registry
from talkworthy.connectors.contract import Capabilities, Checked, Kind, Page, Parsed, Setting
from talkworthy.connectors.payload import Payload


class Scripted:
    """Fetches what stands in `script`, one step a call: a page is returned, an error is raised, a function asked."""

    name: ClassVar = "scripted"
    title: ClassVar = "Scripted"
    about: ClassVar = "What a test wrote down."
    settings: ClassVar = (Setting(name="token", label="Token", kind=Kind.SECRET),)
    capabilities: ClassVar = Capabilities()

    def __init__(self):
        self.script = []
        self.cursors = []

    def fetch(self, http, settings, cursor, *, now):
        self.cursors.append(cursor)
        step = self.script.pop(0) if self.script else Page(cursor=cursor)
        if callable(step):
            step = step(cursor)
        if isinstance(step, Exception):
            raise step
        return step

    def parse(self, payload: Payload, settings):
        from talkworthy.schema import posts_table

        rows = [
            {"uid": f"scripted::{line}", "text": f"Acme {line}", "published_at": payload.fetched_at}
            for line in payload.body.decode().split()
        ]
        return Parsed(posts=posts_table(rows))

    def check(self, http, settings, *, now):
        return Checked(ok=True, message="Ready.")


@pytest.fixture
def channel(monkeypatch):
    """The channel, installed beside the real ones."""
    made = Scripted()
    everything = MappingProxyType({**registry.connectors(), made.name: made})
    monkeypatch.setattr(registry, "connectors", lambda: everything)
    return made
