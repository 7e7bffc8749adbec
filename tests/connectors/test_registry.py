"""The registry: ours, and those of other packages."""

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from talkworthy.connectors import registry
from talkworthy.connectors.files import Files


class Foreign(Files):
    name = "foreign"


class Impostor(Files):
    name = "feed"


foreign, impostor, nothing = Foreign(), Impostor(), object()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(*values: str) -> None:
        points = [EntryPoint(value.rsplit(":")[-1], value, registry.GROUP) for value in values]
        monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])
        registry.connectors.cache_clear()

    yield install
    registry.connectors.cache_clear()


def test_a_connector_of_another_package_is_found(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.name])
    installed("their.module:foreign")
    assert registry.connector_named("foreign") is foreign


def test_another_package_cannot_take_the_place_of_ours(installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda point: globals()[point.name])
    installed("their.module:impostor")
    assert registry.connector_named("feed") is not impostor


def test_what_cannot_be_loaded_or_is_none_is_left_out(installed: Any, caplog: pytest.LogCaptureFixture) -> None:
    installed("no.such.module:connector", "json:dumps")
    assert set(registry.connectors()) == set(registry.own_connectors())
    assert len(caplog.records) == 2


def test_a_channel_that_is_not_installed_is_none() -> None:
    assert registry.connector_named("telepathy") is None
