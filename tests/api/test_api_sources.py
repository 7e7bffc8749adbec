"""Sources and counts."""

import pytest

from talkworthy.listening.models import Monitor, Source
from talkworthy.workspaces.credentials import opened

pytestmark = pytest.mark.django_db

HOOK = {"connector": "webhook", "name": "Shop", "settings": {"secret": "s3cret-and-long-enough", "origin": "shop"}}


def told(answer, status=200):
    assert answer.status_code == status, answer.content
    return answer.json()


def test_a_source_is_made_changed_paused_deleted_and_restored(program_of, bob, workspace):
    program = program_of(bob)
    made = told(program("POST", "/sources", HOOK), 201)
    path = f"/sources/{made['id']}"
    changed = told(program("PATCH", path, {"name": "Shop 2", "settings": {"origin": "shop2"}}))
    assert (changed["name"], changed["settings"]["origin"], changed["interval"]) == ("Shop 2", "shop2", 300)
    assert opened(Source.objects.get().secrets) == {"secret": "s3cret-and-long-enough"}
    assert told(program("POST", f"{path}/pause"))["state"] == "paused"
    assert told(program("POST", f"{path}/resume"))["state"] == "new"
    assert told(program("POST", f"{path}/fetch"), 202)["id"] == made["id"]
    assert told(program("DELETE", path))["deleted"]
    assert told(program("GET", path), 404)["code"] == "not-found"
    assert told(program("POST", f"{path}/restore"))["name"] == "Shop 2"


def test_a_secret_goes_in_and_never_comes_out(program_of, bob, alice, workspace):
    program = program_of(bob)
    number = told(program("POST", "/sources", HOOK), 201)["id"]
    program("PATCH", f"/sources/{number}", {"settings": {"secret": "another-s3cret-long"}})
    assert opened(Source.objects.get().secrets) == {"secret": "another-s3cret-long"}
    for call in ("/sources", f"/sources/{number}", "/connectors"):
        assert b"s3cret" not in program_of(alice)("GET", call).content


def test_the_receiving_address_is_told_to_those_who_may_change_sources(program_of, bob, carol, workspace):
    made = told(program_of(bob)("POST", "/sources", HOOK), 201)
    key = Source.objects.get().key
    assert made["receives_at"].endswith(f"/receive/{key}/")
    for reader in (program_of(carol), program_of(bob, "sources:read")):
        answer = reader("GET", f"/sources/{made['id']}")
        assert told(answer)["receives_at"] is None and key.encode() not in answer.content


@pytest.mark.parametrize(
    "wrong",
    [
        {"connector": "smoke-signals"}, {"settings": {}}, {"settings": {"secret": "x" * 20, "colour": "red"}},
        {"settings": {"secret": "x" * 20, "signature": "wax"}}, {"interval": 7}, {"keep": "none"}, {"sekret": "x"},
        {"sample_percent": 101},
    ],
)  # fmt: skip
def test_a_source_that_cannot_be_is_refused(program_of, bob, workspace, wrong):
    assert told(program_of(bob)("POST", "/sources", {**HOOK, **wrong}), 422)["code"] == "invalid"
    assert not Source.objects.exists()


def test_settings_are_tried_without_being_kept(program_of, bob, workspace, tmp_path):
    program = program_of(bob)
    good = told(program("POST", "/sources/check", {"connector": "files", "settings": {"path": str(tmp_path)}}))
    bad = told(program("POST", "/sources/check", {"connector": "files", "settings": {"path": str(tmp_path / "no")}}))
    assert good["ok"] and not bad["ok"]
    assert not Source.objects.exists()


def test_a_viewer_changes_no_source_whatever_the_scopes(program_of, carol, filled):
    program, path = program_of(carol), f"/sources/{Source.objects.get().pk}"
    calls = [
        ("POST", "/sources", HOOK), ("PATCH", path, {"name": "x"}), ("DELETE", path, None),
        ("POST", f"{path}/pause", None), ("POST", f"{path}/resume", None), ("POST", f"{path}/fetch", None),
        ("POST", f"{path}/restore", None), ("POST", "/sources/check", {"connector": "files"}),
    ]  # fmt: skip
    for method, address, body in calls:
        assert told(program(method, address, body), 403)["code"] == "not-allowed", address


def test_a_source_of_another_workspace_is_not_there(stranger, filled):
    path = f"/sources/{Source.objects.get().pk}"
    calls = [
        ("GET", path, None), ("PATCH", path, {"name": "x"}), ("DELETE", path, None), ("POST", f"{path}/pause", None),
        ("POST", f"{path}/resume", None), ("POST", f"{path}/fetch", None), ("POST", f"{path}/restore", None),
    ]  # fmt: skip
    for method, address, body in calls:
        assert told(stranger(method, address, body), 404)["code"] == "not-found", address
    assert told(stranger("GET", "/sources")) == {"sources": []}


def test_a_series_sums_to_the_posts_it_counts(program_of, carol, filled):
    program, rival = program_of(carol), Monitor.objects.get(name="Rival")
    answer = told(program("GET", f"/series?monitor={rival.pk}&since=2026-03-04&until=2026-03-04"))
    assert (answer["grain"], len(answer["series"][0]["points"])) == ("hour", 24)
    assert answer["series"][0]["total"] == 4
    every = told(program("GET", "/series?since=2026-03-04&until=2026-03-04"))["series"]
    assert [(row["monitor"], row["total"], row["before"]) for row in every] == [(None, 12, 0)]
    assert told(program("GET", "/series?channel=mastodon&period=all"))["series"][0]["total"] == 0


def test_sentiments_of_a_series_sum_to_the_whole(program_of, carol, filled):
    rows = told(program_of(carol)("GET", "/series/sentiment?since=2026-03-04&until=2026-03-04"))["series"]
    assert sum(row["total"] for row in rows) == 12
    assert {"positive", "negative", "neutral", "undecided"} <= {row["sentiment"] for row in rows}


def test_voices_are_parts_of_all_mentions(program_of, carol, filled):
    acme, rival = (Monitor.objects.get(name=name).pk for name in ("Acme", "Rival"))
    answer = told(program_of(carol)("GET", f"/series/voice?monitor={acme}&monitor={rival}&period=all"))
    assert [(share["value"], share["posts"], share["of"]) for share in answer["shares"]] == [
        (str(acme), 8, 12),
        (str(rival), 4, 12),
    ]


def test_posts_are_divided_by_channel_and_by_site(program_of, carol, filled):
    program = program_of(carol)
    for by, value in (("channel", "feed"), ("site", "example.org")):
        shares = told(program("GET", f"/series/shares?by={by}&since=2026-03-04&until=2026-03-04"))["shares"]
        assert [(share["value"], share["posts"]) for share in shares] == [(value, 12)]


def test_a_period_that_cannot_be_is_refused(program_of, carol, filled):
    for wrong in ("period=4ever", "since=2026-03-04&until=2026-03-01", "sentimnt=positive"):
        assert told(program_of(carol)("GET", f"/series?{wrong}"), 422)["code"] == "invalid"


def test_counts_of_a_monitor_elsewhere_are_not_there(stranger, filled):
    number = Monitor.objects.first().pk
    for path in (f"/series?monitor={number}", f"/series/voice?monitor={number}", f"/series/sentiment?monitor={number}"):
        assert told(stranger("GET", path), 404)["code"] == "not-found"
    assert told(stranger("GET", "/series?period=all"))["series"][0]["total"] == 0
