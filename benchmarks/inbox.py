"""How long the server takes for the first paint of the inbox over many open cases.

    python benchmarks/inbox.py [CASES]

Fills an empty desk in a temporary folder, or in TALKWORTHY_DATABASE_URL, and asks for each tab 20 times. A desk that
was filled by it before (TALKWORTHY_DATA) is asked as it stands.
"""

import os
import random
import sys
import tempfile
import time
from datetime import timedelta
from statistics import quantiles

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "talkworthy.web.settings")
os.environ.setdefault("TALKWORTHY_DATA", tempfile.mkdtemp(prefix="talkworthy-inbox-"))
os.environ.setdefault("TALKWORTHY_LOG_LEVEL", "ERROR")

PATHS = (
    "", "?tab=mine", "?tab=due", "?tab=unassigned", "?tab=unread", "?q=priority:risk", "?q=priority:low",
    "?after={deep}", "?before={deep}", "?q=router", "?q=%22case+4242%22", "?q=Zoe+AND+bill", "?q=-router",
)  # fmt: skip
DEEP = 5_000
"""So far down in the queue is the place of the pages that are asked for by place."""


def main() -> None:
    """Fill, ask, print a row for each address."""
    from django.core.management import call_command
    from django.test import Client

    from talkworthy.web import wsgi  # noqa: F401 - starts as a server does
    from talkworthy.workspaces.models import User

    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    call_command("migrate", verbosity=0)
    user = User.objects.filter(email="alice@example.org").first() or fill(count)
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    print(f"{count:,} open cases")
    print("| address | p50 ms | p95 ms |\n| --- | --- | --- |")
    deep = place_in_the_queue(DEEP)
    for path in (path.format(deep=deep) for path in PATHS):
        client.get(f"/acme/inbox/{path}")
        taken = []
        for _attempt in range(20):
            began = time.perf_counter()
            answer = client.get(f"/acme/inbox/{path}")
            taken.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200
        print(f"| `inbox/{path}` | {sorted(taken)[10]:.0f} | {quantiles(taken, n=20)[18]:.0f} |", flush=True)


def place_in_the_queue(number: int):
    """The place of a case so far down."""
    from talkworthy.responding.selectors.inbox import Place
    from talkworthy.routing.models import DUE_OR_NEVER, Case

    return Place.of(Case.objects.order_by("-rank", DUE_OR_NEVER, "number")[number])


def fill(count: int):
    """A workspace with so many cases that somebody works on."""
    from django.utils import timezone

    from talkworthy.people.models import Identity
    from talkworthy.routing.models import Case, CaseConversation, Conversation, Message
    from talkworthy.workspaces.models import Member, User, Workspace

    chance, now = random.Random(1), timezone.now()
    space = Workspace.objects.create(name="Acme", slug="acme")
    user = User.objects.create_user("alice@example.org", name="Alice")
    member = Member.objects.create(workspace=space, user=user, role="administrator")
    asking = Identity.objects.bulk_create(
        Identity(workspace=space, channel="email", account=f"zoe{number}", name=f"Zoe Acht {number}")
        for number in range(max(count // 5, 1))
    )
    priorities = dict(zip(Case.Priority.values, (5000, 4000, 3000, 2000, 1000), strict=True))
    for first in range(1, count + 1, 5_000):
        cases, talks, messages = [], [], []
        for number in range(first, min(first + 5_000, count + 1)):
            priority, at = chance.choice(Case.Priority.values), now - timedelta(minutes=chance.randrange(100_000))
            title = f"The router drops the line, case {number}" if number % 3 else f"The bill is wrong, case {number}"
            cases.append(
                Case(
                    workspace=space,
                    number=number,
                    title=title,
                    priority=priority,
                    rank=priorities[priority] + chance.randrange(1000),
                    state=chance.choice(("new", "open", "waiting")),
                    channel="email",
                    requester=chance.choice(asking),
                    owner=member if chance.random() < 0.01 else None,
                    opened_at=at,
                    last_inward_at=at,
                    due_at=now + timedelta(minutes=chance.randrange(-1000, 20_000)) if chance.random() < 0.8 else None,
                )
            )
            talks.append(Conversation(workspace=space, channel="email", root=f"e::{number}", first_at=at, last_at=at))
        Case.objects.bulk_create(cases)
        Conversation.objects.bulk_create(talks)
        for case, talk in zip(cases, talks, strict=True):
            messages.append(
                Message(workspace=space, conversation=talk, uid=talk.root, text=case.title, at=case.opened_at)
            )
        CaseConversation.objects.bulk_create(
            CaseConversation(case=case, conversation=talk) for case, talk in zip(cases, talks, strict=True)
        )
        Message.objects.bulk_create(messages)
    return user


if __name__ == "__main__":
    main()
