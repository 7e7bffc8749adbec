"""Finds the connectors: every module of this package that ends with `connector = …`, and those of third parties."""

import importlib
import logging
import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

import talkworthy.connectors
from talkworthy.connectors.contract import Connector

GROUP = "talkworthy.connectors"
"""Entry points of this group name connectors of other packages, as `mastodon = their.module:connector`."""

log = logging.getLogger(__name__)


@cache
def connectors() -> Mapping[str, Connector]:
    """All connectors by name, ours first, each kind in alphabetical order.

    A third party's connector that cannot be loaded is logged and left out; ours must load.
    """
    found = own_connectors()
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        foreign = _loaded(entry)
        if foreign is not None and foreign.name not in found:
            found[foreign.name] = foreign
    return MappingProxyType(found)


def own_connectors() -> dict[str, Connector]:
    """The connectors of this package by name."""
    found: dict[str, Connector] = {}
    for module in sorted(pkgutil.iter_modules(talkworthy.connectors.__path__), key=lambda module: module.name):
        loaded = importlib.import_module(f"{talkworthy.connectors.__name__}.{module.name}")
        connector = getattr(loaded, "connector", None)
        if isinstance(connector, Connector):
            if connector.name in found:
                raise ValueError(f"two connectors are called {connector.name!r}")
            found[connector.name] = connector
    return found


def connector_named(name: str) -> Connector | None:
    """One connector, or None where no such channel is installed."""
    return connectors().get(name)


def _loaded(entry: EntryPoint) -> Connector | None:
    try:
        connector = entry.load()
    except Exception:  # what another package does while it is loaded is not known here
        log.exception("connector %s of %s cannot be loaded", entry.name, entry.value)
        return None
    if not isinstance(connector, Connector):
        log.error("%s of entry point %s is not a connector", entry.value, entry.name)
        return None
    return connector
