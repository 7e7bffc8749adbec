"""The web as a WSGI application, for any server."""

import atexit
import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "talkworthy.web.settings")
application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018 - read here, so that no request waits for every page to be loaded
gc.collect()
gc.freeze()  # what is loaded stays: looking through it anew held up a request in some fifty by 100 to 150 ms
atexit.register(gc.unfreeze)  # at the end libraries want to put away what they hold
