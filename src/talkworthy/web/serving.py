"""Serving the pages: one process, several threads, ended with the process that started it."""

import os
import signal
import threading
import time

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from talkworthy.web.configuration import configuration

THREADS = 4


def serve() -> None:
    """Serve until the process is asked to end, or until the one that started it is gone."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "talkworthy.web.settings")
    chosen = configuration()
    threading.Thread(target=_watch_parent, args=(os.getppid(),), daemon=True).start()
    Granian(
        "talkworthy.web.wsgi:application",
        address=chosen.bind,
        port=chosen.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        backlog=512,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    ).serve()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(2)
    os.kill(os.getpid(), signal.SIGTERM)
