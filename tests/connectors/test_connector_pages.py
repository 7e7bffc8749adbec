"""The page that lists the connectors, and the example that teaches how to write one."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import httpx

from talkworthy.connectors.contract import Connector
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.connectors.registry import own_connectors

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs" / "reference" / "connectors" / "index.md"
CHAPTER = ROOT / "docs" / "stages" / "listen.md"
NOON = datetime(2026, 7, 4, 12, tzinfo=UTC)
STORY = {"short_id": "abc", "created_at": "2026-07-04T07:00:00.000-05:00", "title": "A router", "score": 4}
STORY |= {"url": "https://acme.example/", "comment_count": 2, "submitter_user": "alice"}
FLAGS = ("resume", "send", "stream", "receive", "edits", "deletions", "counts", "history", "met_live")


def row(connector: Connector) -> str:
    answers = ["yes" if getattr(connector.capabilities, flag) else "no" for flag in FLAGS]
    return f"| [{connector.title}]({connector.name}.md) | {connector.about} | {' | '.join(answers)} |"


def example() -> Connector:
    found = re.search(r"```python\n(.*?)```", CHAPTER.read_text(), re.DOTALL)
    assert found
    module = ModuleType("example")
    exec(compile(found[1], str(CHAPTER), "exec"), vars(module))
    connector = vars(module)["connector"]
    assert isinstance(connector, Connector)
    return connector


def test_the_index_lists_every_connector_with_what_it_can_do():
    rows = [line for line in INDEX.read_text().splitlines() if line.startswith("| [")]
    assert rows == [row(found) for found in sorted(own_connectors().values(), key=lambda one: one.title.lower())]


def test_every_page_that_the_index_names_is_there():
    for name in re.findall(r"\]\(([a-z_]+\.md)\)", INDEX.read_text()):
        assert (INDEX.parent / name).is_file(), name


def test_the_example_of_the_chapter_fetches_and_reads():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers.get("if-none-match") == '"e"':
            return httpx.Response(304)
        return httpx.Response(200, json=[STORY, {"short_id": None}], headers={"etag": '"e"'})

    http = Http(transport=httpx.MockTransport(answer), resolve=lambda host, port: ["93.184.216.34"])
    page = example().fetch(http, {}, None, now=NOON)
    parsed = example().parse(page.payloads[0], {})
    assert parsed.posts["uid"].to_pylist() == ["lobsters:lobste.rs:abc"]
    assert (parsed.posts["published_at"].to_pylist(), parsed.observations["likes"].to_pylist()) == ([NOON], [4])
    assert [piece.reason for piece in parsed.aside] == ["without a usable short_id"]
    assert example().fetch(http, {}, page.cursor, now=NOON).payloads == ()


def test_the_example_of_the_chapter_sets_aside_what_it_cannot_read():
    parsed = example().parse(Payload(body=json.dumps({"error": "no"}).encode(), fetched_at=NOON), {})
    assert (parsed.posts.num_rows, len(parsed.aside)) == (0, 1)
