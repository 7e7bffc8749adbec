"""Names in posts: on a post's page with what spoke for them, and those that a period names most."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from talkworthy.analysis.entities import Entity
from talkworthy.analysis.memes import Meme, Term
from talkworthy.listening.selectors.names import counted, kinds_of, once_each, phrase

HTMX = {"HX-Request": "true"}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_post_shows_its_names_why_they_were_read_and_where_there_are_more(room, client_of):
    text = "My parcel is stuck in Berlin, and Sarah Miller from support never answers. Berlin again!"
    room.add([room.post(900, text, ago=timedelta(minutes=5), language="en")], "900")
    client = client_of(room.carol)
    found = client.get("/acme/listen/?q=parcel").content.decode()
    number = found.split('data-post="')[1].split('"')[0]
    page = client.get(f"/acme/listen/post/{number}/").content.decode()
    assert page.count('<strong dir="auto">Berlin</strong>') == 1
    assert '<strong dir="auto">Sarah Miller</strong>' in page
    assert "What spoke for it" in page and "q=%22Sarah+Miller%22" in page


def test_a_name_that_was_read_as_two_kinds_is_the_one_that_was_surer():
    read = [
        Entity("Ubuntu Edge", 0, 11, "person", 0.5, ()),
        Entity("Indiegogo", 20, 29, "organisation", 0.8, ()),
        Entity("ubuntu edge", 40, 51, "place", 0.4, ()),
        Entity("Ubuntu Edge", 60, 71, "place", 0.45, ()),
    ]
    assert once_each(read) == [read[3], read[1]]


def test_a_post_in_another_language_is_not_read_for_names(room, client_of):
    text = "Mein Paket hängt in Berlin fest, und niemand beim Kundendienst gibt mir eine Antwort"
    room.add([room.post(901, text, ago=timedelta(minutes=5))], "901")
    client = client_of(room.carol)
    number = client.get("/acme/listen/?q=Paket").content.decode().split('data-post="')[1].split('"')[0]
    assert "What spoke for it" not in client.get(f"/acme/listen/post/{number}/").content.decode()


def test_the_names_that_several_people_say_lead_to_their_posts(room, client_of):
    texts = [
        "I flew to London with my sister",
        "London is wonderful in May",
        "we love London so much",
        "Bob Dylan sang",
    ]
    rows = [room.post(910 + at, text, ago=timedelta(minutes=at + 1)) for at, text in enumerate(texts)]
    room.add(rows, "910")
    client = client_of(room.carol)
    page = client.get("/acme/trends/names/?period=30d&of=0").content.decode()
    assert ">London</a>" in page and "Bob Dylan" not in page
    address = page.split(">London</a>")[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert "London" in client.get(address).content.decode()
    part = client.get("/acme/trends/names/?period=30d&of=0", headers=HTMX).content.decode()
    assert ">London</a>" in part and "<html" not in part
    assert "/acme/trends/names/" in client.get("/acme/trends/").content.decode()


def test_posts_without_an_author_are_no_crowd():
    def read(number: int, site: str, author: dict[str, str] | None) -> dict[str, Any]:
        told = {"channel": "feed", "site": site, "author": author, "title": None, "detected_language": "en"}
        return {**told, "text": f"I flew to London again, day {number}", "published_at": NOON}

    of_one_site = [read(number, "a.example", None) for number in range(3)]
    assert counted(pa.Table.from_pylist(of_one_site)).names == ()
    of_three = [*of_one_site, read(4, "b.example", None), read(5, "a.example", {"id": None, "handle": "a.example"})]
    (london,) = counted(pa.Table.from_pylist(of_three)).names
    assert (london.written, london.posts, london.voices) == ("London", 5, 3)


def test_a_stranger_finds_no_names(room, client_of):
    assert client_of(room.dan).get("/acme/trends/names/").status_code == 404


def test_what_rises_says_what_it_names_where_most_examples_agree():
    def meme(text: str, *examples: str) -> Meme:
        return Meme(Term("phrase", text), text, 3.0, 3, 3, 0, 0.1, (), None, (), examples, ())

    memes = [
        meme("angela merkel", "I met Angela Merkel", "Angela Merkel said no", "where is Angela Merkel going"),
        meme("good morning", "good morning all", "Good morning everyone", "a good morning to you"),
    ]
    assert kinds_of(memes) == {"angela merkel": "person"}


def test_a_name_is_asked_for_as_one_phrase():
    assert phrase('The "Big" One') == '"The  Big  One"'
