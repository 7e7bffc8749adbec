"""The web as a server starts it."""

import gc
from importlib import import_module


def test_what_a_start_loads_is_not_looked_through_again_while_requests_wait():
    try:
        import_module("talkworthy.web.wsgi")
        assert gc.get_freeze_count() > 100_000
    finally:
        gc.unfreeze()
