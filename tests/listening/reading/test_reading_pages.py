import json
import re
import time
from dataclasses import replace
from datetime import timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from talkworthy.listening.collecting import Listener
from talkworthy.listening.filters import Filter
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.models import Correction, Job, Mark, Monitor, SavedView
from talkworthy.listening.periods import Period
from talkworthy.listening.selectors import mentions, series
from talkworthy.listening.stores import archive_of
from talkworthy.listening.views.drawing import Drawn, exported

HTMX = {"HX-Request": "true"}


def posts_in(page: str) -> int:
    return len(re.findall(r'<article class="post river-post', page))


def test_the_river_shows_every_post_newest_first_and_says_how_many(room, client_of):
    page = client_of(room.carol).get("/acme/listen/?copies=apart").content.decode()
    assert posts_in(page) == 40
    assert "<strong>60</strong> posts" in re.sub(r"\s+", " ", page)


def test_the_rest_comes_by_keyset_and_nothing_comes_twice(room, client_of):
    client = client_of(room.carol)
    first = client.get("/acme/listen/?copies=apart").content.decode()
    older = unescape(re.search(r'href="([^"]*before=[^"]*)"', first)[1])
    second = client.get(older).content.decode()
    numbers = [re.findall(r'data-post="(\d+)"', page) for page in (first, second)]
    assert len(set(numbers[0]) | set(numbers[1])) == 60
    assert not set(numbers[0]) & set(numbers[1])


def test_a_search_needs_no_monitor_and_marks_its_words(room, client_of):
    page = (
        client_of(room.carol).get("/acme/listen/", {"q": "somebody AND wonderful", "copies": "apart"}).content.decode()
    )
    assert posts_in(page) == 30
    assert "<mark>somebody</mark>" in page


def test_a_query_with_an_error_shows_the_place_and_searches_nothing(room, client_of):
    page = client_of(room.carol).get("/acme/listen/", {"q": "google AND (apple OR"}).content.decode()
    assert "E-SYNTAX" in page
    assert posts_in(page) == 0


def test_a_filter_of_thousands_of_words_is_answered_in_bounded_time(room, client_of):
    client = client_of(room.carol)
    many, more = "google " * 500, "google " * 50_000
    begun = time.monotonic()
    assert client.get("/acme/listen/", {"q": many}).status_code == 200
    page = client.get("/acme/listen/", {"q": more}).content.decode()
    assert "E-LONG" in page and "The filter has 349999 characters" in page
    assert posts_in(page) == 0
    assert "E-LONG" in client.get("/acme/listen/check/", {"q": more}, headers=HTMX).content.decode()
    assert client.get("/acme/listen/count/", {"q": more}).content == b""
    assert client.get("/acme/listen/newer/", {"q": more, "version": -1}).status_code == 204
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("path", "status"),
    [("listen/?before=N", 404), ("listen/?open=N", 404), ("listen/?monitor=N", 200), ("listen/post/N/", 404)],
)
def test_a_number_that_no_row_can_have_is_not_there(room, client_of, path, status):
    assert client_of(room.carol).get(f"/acme/{path.replace('N', '9' * 40)}").status_code == status


def test_the_check_as_one_types_offers_a_whole_query_as_fix(room, client_of):
    page = client_of(room.carol).get("/acme/listen/check/", {"q": "a AND b OR c"}, headers=HTMX).content.decode()
    assert "E-MIX" in page
    assert 'data-fix="(a AND b) OR c"' in page


def test_a_period_that_cannot_be_read_is_said_and_nothing_breaks(room, client_of):
    answer = client_of(room.carol).get("/acme/listen/", {"since": "soon"})
    assert answer.status_code == 200
    assert "is not a date" in answer.content.decode()


def test_a_poll_answers_nothing_until_something_arrives(room, client_of):
    client = client_of(room.carol)
    version = mentions.version(viewer=room.carol)
    newest = mentions.mentions(Filter(), viewer=room.carol, period=None, now=timezone.now(), limit=1).posts[0]["id"]
    asked = {"after": newest, "version": version}
    assert client.get("/acme/listen/newer/", asked).status_code == 204
    room.add([room.post(900, "google again", ago=timedelta(minutes=1))], "2")
    page = client.get("/acme/listen/newer/", asked).content.decode()
    assert 'data-arrived="1"' in page
    assert "again" in page


def test_a_late_post_arrives_too_and_is_told_from_the_new_ones(room, client_of):
    client = client_of(room.carol)
    version = mentions.version(viewer=room.carol)
    newest = mentions.mentions(Filter(), viewer=room.carol, period=None, now=timezone.now(), limit=1).posts[0]["id"]
    rows = [
        room.post(900, "google now", ago=timedelta(minutes=1)),
        room.post(901, "google came late", ago=timedelta(days=3)),
        room.post(902, "decoy", ago=timedelta(days=3)),
    ]
    room.add(rows, "2")
    page = client.get("/acme/listen/newer/", {"after": newest, "version": version, "q": "google"}).content.decode()
    assert 'data-arrived="2" data-newer="1"' in page
    assert "came late" in unescape(page.replace("<mark>google</mark>", "google")) and "decoy" not in page
    seen = mentions.version(viewer=room.carol)
    room.add([room.post(903, "decoy", ago=timedelta(days=3))], "3")
    again = client.get("/acme/listen/newer/", {"after": newest, "version": seen, "q": "google"}).content.decode()
    assert 'data-arrived="0"' in again


def test_where_arrivals_cannot_be_told_any_more_the_newer_posts_still_come(room, client_of):
    version = mentions.version(viewer=room.carol)
    newest = mentions.mentions(Filter(), viewer=room.carol, period=None, now=timezone.now(), limit=1).posts[0]["id"]
    room.add([room.post(900, "google now", ago=timedelta(minutes=1))], "2")
    archive_of(room.workspace).forget_versions()
    page = client_of(room.carol).get("/acme/listen/newer/", {"after": newest, "version": version}).content.decode()
    assert 'data-arrived="1" data-newer="1"' in page


def test_a_stranger_finds_nothing_and_learns_nothing(room, client_of):
    client = client_of(room.dan)
    for path in ("listen/", "monitors/", "trends/", f"monitors/{room.google.pk}/", "listen/newer/"):
        assert client.get(f"/acme/{path}").status_code == 404


def test_a_post_of_another_workspace_is_not_found(room, client_of):
    number = mentions.mentions(Filter(), viewer=room.carol, period=None, now=timezone.now(), limit=1).posts[0]["id"]
    assert client_of(room.carol).get(f"/acme/listen/post/{number}/").status_code == 200
    assert client_of(room.dan).get(f"/elsewhere/listen/post/{number}/").status_code == 404


def test_a_viewer_may_read_but_not_correct_mark_export_or_change(room, client_of):
    client = client_of(room.carol)
    number = mentions.mentions(Filter(), viewer=room.carol, period=None, now=timezone.now(), limit=1).posts[0]["id"]
    monitor = room.google.pk
    for path, given in (
        (f"listen/post/{number}/correct/", {"task": "sentiment", "new": "neutral"}),
        ("listen/export/", {"format": "csv"}),
        ("listen/views/", {"name": "x"}),
        (f"monitors/{monitor}/mark/", {"uid": "u", "right": "1"}),
        (f"monitors/{monitor}/delete/", {}),
        (f"monitors/{monitor}/pause/", {}),
        ("monitors/backtest/", {"query": "google"}),
        ("monitors/new/", {"name": "x", "query": "google"}),
    ):
        assert client.post(f"/acme/{path}", given).status_code == 403, path
    assert Monitor.objects.get(pk=monitor).deleted_at is None
    assert client.get("/acme/monitors/new/").status_code == 403


def test_writing_by_a_link_is_refused(room, client_of):
    client = client_of(room.alice)
    for path in (
        f"monitors/{room.google.pk}/delete/",
        f"monitors/{room.google.pk}/pause/",
        "listen/export/",
        "listen/views/",
    ):
        assert client.get(f"/acme/{path}").status_code == 405


def test_the_lists_ask_the_desk_a_fixed_number_of_times(room, client_of):
    client = client_of(room.bob)
    for path, most in (("/acme/listen/", 19), ("/acme/monitors/", 16), ("/acme/trends/", 21)):
        client.get(path)
        with CaptureQueriesContext(connection) as few:
            client.get(path)
        for number in range(4):
            Monitor.objects.create(workspace=room.workspace, name=f"More {path} {number}", query="nothing")
        with CaptureQueriesContext(connection) as many:
            client.get(path)
        assert len(many) == len(few) <= most, (path, len(few), len(many))


def test_a_correction_shows_at_once_moves_the_count_and_is_undone(room, client_of):
    client = client_of(room.bob)
    row = mentions.mentions(
        Filter(sentiments=("negative",)), viewer=room.bob, period=None, now=timezone.now(), limit=1
    ).posts[0]
    whole = Period(timezone.now() - timedelta(days=40), timezone.now() + timedelta(days=1), ZoneInfo("UTC"))
    before = series.totals([0], whole, viewer=room.bob, sentiments=("negative",))[0]
    page = client.post(
        f"/acme/listen/post/{row['id']}/correct/", {"task": "sentiment", "new": "positive"}, headers=HTMX
    ).content.decode()
    assert "corrected" in page
    assert mentions.post_or_404(row["id"], viewer=room.bob)["sentiment"] == "positive"
    assert series.totals([0], whole, viewer=room.bob, sentiments=("negative",))[0] == before - 1
    correction = Correction.objects.get()
    assert f"/acme/listen/corrections/{correction.pk}/undo/" in page
    client.post(f"/acme/listen/corrections/{correction.pk}/undo/")
    assert mentions.post_or_404(row["id"], viewer=room.bob)["sentiment"] == "negative"
    assert series.totals([0], whole, viewer=room.bob, sentiments=("negative",))[0] == before


def test_why_names_words_model_and_version(room, client_of):
    number = mentions.mentions(Filter(words="hate"), viewer=room.carol, period=None, now=timezone.now(), limit=1).posts[
        0
    ]["id"]
    page = client_of(room.carol).get(f"/acme/listen/post/{number}/why/sentiment/", headers=HTMX).content.decode()
    assert "<mark>" in page
    assert "version" in page
    assert client_of(room.carol).get(f"/acme/listen/post/{number}/why/weather/").status_code == 404


def test_a_view_is_kept_for_its_owner_and_shared_when_asked(room, client_of):
    client_of(room.bob).post("/acme/listen/views/", {"name": "Angry", "address": "sentiment=negative&evil=1"})
    assert SavedView.objects.get().address == "sentiment=negative"
    assert "Angry" in client_of(room.bob).get("/acme/listen/").content.decode()
    assert "Angry" not in client_of(room.carol).get("/acme/listen/").content.decode()
    client_of(room.bob).post("/acme/listen/views/", {"name": "Angry", "address": "sentiment=negative", "shared": "1"})
    assert "Angry" in client_of(room.carol).get("/acme/listen/").content.decode()
    view = SavedView.objects.get()
    assert client_of(room.alice).post(f"/acme/listen/views/{view.pk}/delete/").status_code == 404


def test_an_export_takes_the_whole_filter_along(room, client_of):
    given = {"format": "jsonl", "address": f"q=google+OR+apple&sentiment=negative&monitor={room.google.pk}&period=7d"}
    client_of(room.bob).post("/acme/listen/export/", given)
    request = Job.objects.get(kind=Job.Kind.EXPORT).request
    assert request["query"] == '(google OR apple) AND sentiment:"negative"'
    assert request["monitors"] == [room.google.pk]
    assert request["since"] is not None


def test_every_figure_of_the_charts_is_the_number_of_rows_it_leads_to(room, client_of):
    client = client_of(room.carol)
    page = client.get("/acme/trends/", {"period": "30d"}).content.decode()
    tables = re.findall(r'<td class="number-cell"><a href="([^"]+)">([\d,]+)</a></td>', page)
    assert len(tables) > 30
    for address, number in tables:
        address = unescape(address)
        asked = client.get(address).context
        rows = mentions.mentions(
            asked["asked"], viewer=room.carol, period=asked["period"], now=timezone.now(), limit=500
        ).posts
        assert len(rows) == int(number.replace(",", "")), address
        assert asked["count"] in (None, len(rows))


def test_charts_are_taken_along_as_png_svg_and_csv(room, client_of):
    client = client_of(room.carol)
    assert client.get("/acme/trends/volume.png").content.startswith(b"\x89PNG")
    assert b"<svg" in client.get("/acme/trends/sentiment.svg").content
    table = client.get("/acme/trends/share.csv").content.decode("utf-8-sig").splitlines()
    assert table[0].startswith("Monitor,Posts,Share")
    assert table[1].startswith("Google,30,")
    assert client.get("/acme/trends/weather.png").status_code == 404
    assert client.get("/acme/trends/volume.exe").status_code == 404


def test_a_long_ranking_shows_its_first_rows_and_says_where_the_others_are(room, client_of):
    spec = {"mark": "bar", "data": {"values": []}, "encoding": {}}
    rows = [[(f"site-{number}.example", ""), (number, f"?site={number}")] for number in range(53)]
    chart = Drawn("sites", "Sites", "n = 53", spec, ["Site", "Posts"], rows, "", most=50)
    page = render_to_string("listening/trends/figure.html", {"chart": chart})
    assert "site-49.example" in page and "site-50.example" not in page
    assert "3 more rows stand in the CSV." in page
    assert b"site-52.example" in exported(chart, "csv").content
    whole = render_to_string("listening/trends/figure.html", {"chart": replace(chart, most=None)})
    assert "site-52.example" in whole and "in the CSV" not in whole


def test_a_specification_in_the_page_cannot_end_its_element(room, client_of):
    Monitor.objects.filter(pk=room.google.pk).update(name="</script><b>")
    page = client_of(room.carol).get("/acme/trends/").content.decode()
    assert "</script><b>" not in page
    spec = re.search(r'<script type="application/json" id="spec-volume">(.*?)</script>', page, re.S)[1]
    assert json.loads(spec)["$schema"]


def test_trends_without_a_post_say_what_will_stand_there(room, client_of):
    page = client_of(room.dan).get("/elsewhere/trends/").content.decode()
    assert "Charts will stand here" in page


def test_a_monitor_is_made_changed_deleted_and_brought_back(room, client_of):
    client = client_of(room.bob)
    given = {"name": "Somebody", "kind": "person", "colour": "teal", "query": "somebody"}
    client.post("/acme/monitors/new/", given)
    made = Monitor.objects.get(name="Somebody")
    client.post(f"/acme/monitors/{made.pk}/edit/", given | {"query": "somebody AND wonderful"})
    made.refresh_from_db()
    assert (made.version, made.query) == (2, "somebody AND wonderful")
    client.post(f"/acme/monitors/{made.pk}/versions/1/restore/")
    made.refresh_from_db()
    assert (made.version, made.query) == (3, "somebody")
    page = client.post(f"/acme/monitors/{made.pk}/delete/", follow=True).content.decode()
    assert f"/acme/monitors/{made.pk}/restore/" in page
    assert client.get(f"/acme/monitors/{made.pk}/").status_code == 404
    client.post(f"/acme/monitors/{made.pk}/restore/")
    assert client.get(f"/acme/monitors/{made.pk}/").status_code == 200


def test_a_monitor_with_a_broken_query_is_not_saved_and_keeps_what_was_typed(room, client_of):
    given = {"name": "Broken", "kind": "brand", "colour": "blue", "query": "a AND b OR c"}
    answer = client_of(room.bob).post("/acme/monitors/new/", given)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "E-MIX" in page
    assert 'value="Broken"' in page
    assert not Monitor.objects.filter(name="Broken").exists()


def test_a_draft_shows_what_it_finds_as_it_is_typed(room, client_of):
    page = client_of(room.bob).post("/acme/monitors/preview/", {"query": "somebody"}, headers=HTMX).content.decode()
    assert "<strong>30</strong> posts found among all that is stored" in page
    assert "<mark>somebody</mark>" in page


def test_a_desk_field_in_a_monitor_is_an_error_that_says_where_it_belongs(room, client_of):
    page = (
        client_of(room.bob)
        .post("/acme/monitors/preview/", {"query": "google AND assignee:bob"}, headers=HTMX)
        .content.decode()
    )
    assert "E-STAGE" in page


def test_a_backtest_tells_what_a_draft_adds_and_loses_and_its_marks_follow_into_the_monitor(room, client_of):
    client = client_of(room.bob)
    draft = {
        "monitor": room.google.pk,
        "query": "apple",
        "span": "all",
        "name": "Google",
        "kind": "brand",
        "colour": "blue",
    }
    there = client.post("/acme/monitors/backtest/", draft)["Location"]
    assert "Waiting for its turn" in client.get(there).content.decode()
    run_job(claim_job(now=timezone.now()), Listener(room.workspace))
    page = client.get(there).content.decode()
    job = Job.objects.get(kind=Job.Kind.BACKTEST)
    assert (job.result["matched"], job.result["added"], job.result["lost"]) == (20, 10, 20)
    assert "+10" in page
    assert "−20" in page
    for number, uid in enumerate(job.result["sample"][:4]):
        client.post(
            f"/acme/monitors/backtest/{job.pk}/mark/", {"uid": uid, "right": "1" if number else "0"}, headers=HTMX
        )
    page = client.get(there).content.decode()
    assert "75 %" in page
    assert "few" in page
    client.post(f"/acme/monitors/{room.google.pk}/edit/", {**draft, "backtest": job.pk})
    assert set(Mark.objects.filter(monitor=room.google).values_list("version", flat=True)) == {2}


def test_marks_on_a_draft_that_is_not_saved_yet_wait_for_its_monitor(room, client_of):
    client = client_of(room.bob)
    draft = {"query": "apple", "span": "all", "name": "Fruit", "kind": "field", "colour": "green"}
    client.post("/acme/monitors/backtest/", draft)
    run_job(claim_job(now=timezone.now()), Listener(room.workspace))
    job = Job.objects.get(kind=Job.Kind.BACKTEST)
    client.post(f"/acme/monitors/backtest/{job.pk}/mark/", {"uid": job.result["sample"][0], "right": "1"}, headers=HTMX)
    assert not Mark.objects.exists()
    client.post("/acme/monitors/new/", {**draft, "backtest": job.pk})
    assert Mark.objects.get().monitor.name == "Fruit"


def test_a_backtest_of_another_workspace_is_not_found(room, client_of):
    job = Job.objects.create(workspace=room.workspace, kind=Job.Kind.BACKTEST, request={"query": "google"})
    assert client_of(room.dan).get(f"/elsewhere/monitors/backtest/{job.pk}/").status_code == 404


def test_a_post_page_shows_its_thread_in_the_order_of_answers(room, client_of):
    first = room.post(700, "google first", ago=timedelta(hours=3))
    answer = room.post(701, "an answer", ago=timedelta(hours=2), in_reply_to=first["uid"], root=first["uid"])
    deeper = room.post(702, "a deeper answer", ago=timedelta(hours=1), in_reply_to=answer["uid"], root=first["uid"])
    room.add([deeper, first, answer], "2")
    shown = mentions.post_of_uid(answer["uid"], viewer=room.carol)
    context = client_of(room.carol).get(f"/acme/listen/post/{shown['id']}/").context
    assert [(one.depth, one.is_here) for one in context["thread"]] == [(0, False), (1, True), (2, False)]


def test_a_post_says_which_monitor_found_it_and_by_which_word(room, client_of):
    row = mentions.mentions(
        Filter(monitors=(room.google.pk,)), viewer=room.carol, period=None, now=timezone.now(), limit=1
    ).posts[0]
    page = client_of(room.carol).get(f"/acme/listen/post/{row['id']}/").content.decode()
    assert "Found by" in page
    assert '<mark dir="auto">google</mark>' in page


def test_words_of_strangers_are_never_markup(room, client_of):
    room.add(
        [
            room.post(
                800,
                "<img src=x onerror=alert(1)> google",
                ago=timedelta(minutes=2),
                url="javascript:alert(1)",
                author={"id": "x", "name": "<b>Eve</b>"},
            )
        ],
        "2",
    )
    page = client_of(room.carol).get("/acme/listen/").content.decode()
    assert "<img src=x" not in page
    assert "<b>Eve" not in page
    assert "javascript:alert" not in page


@pytest.mark.parametrize(
    "path", ["listen/?before=x", "listen/?open=x", "listen/post/12/", "monitors/999/", "listen/post/?uid=no"]
)
def test_what_is_not_there_is_not_found(room, client_of, path):
    assert client_of(room.carol).get(f"/acme/{path}").status_code == 404


def test_the_script_of_the_charts_is_kept_for_a_year(room, client_of):
    answer = client_of(room.carol).get("/acme/trends/vega.js")
    assert "immutable" in answer["Cache-Control"]
    assert b"vegaEmbed" in answer.content


def test_monitors_are_sorted_by_what_they_found(room, client_of):
    Monitor.objects.filter(pk=room.google.pk).update(name="Zeta")
    page = client_of(room.carol).get("/acme/monitors/").content.decode()
    assert page.index("Apple") < page.index("Zeta")
    page = client_of(room.carol).get("/acme/monitors/", {"sort": "week"}).content.decode()
    assert page.index("Zeta") < page.index("Apple")


def test_a_fragment_is_never_taken_for_the_page(room, client_of):
    client = client_of(room.carol)
    row = mentions.mentions(Filter(), viewer=room.carol, period=None, now=timezone.now(), limit=1).posts[0]
    address = f"/acme/listen/post/{row['id']}/"
    assert "<html" not in client.get(address, headers=HTMX).content.decode()
    assert "<html" in client.get(address).content.decode()
    assert "HX-Request" in client.get(address)["Vary"]


def test_a_page_over_a_damaged_archive_says_which_file_and_what_to_do(room, client_of):
    archive = archive_of(room.workspace)
    path = archive.posts.folder / archive.posts.snapshot().files[0].path
    path.write_bytes(path.read_bytes()[:-9])
    client = client_of(room.carol)
    client.raise_request_exception = False
    answer = client.get("/acme/listen/")
    assert answer.status_code == 500
    assert f"{path.name} of the archive is damaged" in answer.content.decode()
    assert "backup" in answer.content.decode()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL keeps room of its own")
def test_pages_can_be_read_while_nothing_can_be_written(room, client_of):
    client = client_of(room.carol)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            answer = client.get("/acme/listen/?copies=apart")
        finally:
            cursor.execute("PRAGMA query_only = OFF")
    assert answer.status_code == 200
    assert posts_in(answer.content.decode()) == 40


def test_one_begins_with_what_monitors_found_and_every_post_is_a_press_away(room, client_of):
    client = client_of(room.carol)
    address = client.get("/acme/listen/mentions/").headers["Location"]
    assert address == "/acme/listen/?found=any"
    page = client.get(address, {"found": "any", "copies": "apart"}).content.decode()
    numbers = [room.google.pk, room.apple.pk]
    told = mentions.mentions(Filter(monitors=tuple(numbers)), viewer=room.carol, period=None, now=timezone.now())
    assert 0 < len(told.posts) < 60 and f'data-post="{told.posts[0]["id"]}"' in page
    assert 'href="/acme/listen/?copies=apart">Every post' in page
    Monitor.objects.filter(workspace=room.workspace).update(deleted_at=timezone.now())
    assert client.get("/acme/listen/mentions/").headers["Location"] == "/acme/listen/"


def test_each_monitor_says_how_many_it_found_while_nothing_else_is_asked(room, client_of):
    client = client_of(room.carol)
    said = re.compile(r"<span dir=\"auto\">([^<]+)</span> <span class=\"tally\">(\d+)")
    assert dict(said.findall(client.get("/acme/listen/").content.decode()))["Google"] == "30"
    assert not said.findall(client.get("/acme/listen/", {"q": "wonderful"}).content.decode())
