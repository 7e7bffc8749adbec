"""Who joins which hook: rooms when they are loaded, other packages by the entry point `talkworthy.hooks`."""

from collections.abc import Callable
from functools import cache
from typing import Any

import pluggy

from talkworthy.hooks import specs

joins = pluggy.HookimplMarker(specs.PROJECT)
"""Before a function that joins the hook of its name; its module is registered with `hooks().register`."""


@cache
def hooks() -> pluggy.PluginManager:
    """The one manager of this process."""
    manager = pluggy.PluginManager(specs.PROJECT)
    manager.add_hookspecs(specs)
    manager.load_setuptools_entrypoints("talkworthy.hooks")
    return manager


def call(name: str, **facts: Any) -> list[Any]:
    """Call everybody who joined, in the order in which they joined."""
    answers: list[Any] = getattr(hooks().hook, name)(**facts)
    return answers[::-1]


def joined(name: str) -> list[tuple[str, Callable[..., Any]]]:
    """Everybody who joined, by a name for logs, to be called one by one."""
    return [
        (f"{each.plugin_name}.{each.function.__name__}", each.function)
        for each in getattr(hooks().hook, name).get_hookimpls()
    ]
