"""A correction shows at once, is counted, is kept as a label, and can be undone."""

from datetime import UTC, datetime

import pytest

from talkworthy.listening import actions
from talkworthy.listening.models import Correction, DayCube, HourCube
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import AuditEntry

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
UID = "feed:example.org:0"


def correct(workspace, alice, task="sentiment", new="negative", uid=UID):
    return actions.correct_annotation(workspace, uid=uid, task=task, new=new, by=alice, now=NOW)


def of(workspace, column):
    return archive_of(workspace).get(UID)[column]


def negative(workspace):
    return sum(
        HourCube.objects.filter(workspace=workspace, monitor=0, sentiment="negative").values_list("posts", flat=True)
    )


def test_a_correction_shows_at_once_and_in_the_counts(filled, alice, agree):
    before = negative(filled)
    assert of(filled, "sentiment") == "positive"
    correct(filled, alice)
    assert of(filled, "sentiment") == "negative"
    assert negative(filled) == before + 1
    agree(filled)


def test_another_post_with_the_same_words_keeps_its_answer(filled, alice):
    correct(filled, alice)
    assert archive_of(filled).get("feed:example.org:6")["sentiment"] == "positive"


def test_an_undone_correction_gives_back_what_stood_before(filled, alice, agree):
    actions.undo_correction(correct(filled, alice), by=alice, now=NOW)
    assert of(filled, "sentiment") == "positive"
    agree(filled)


def test_undoing_twice_is_undoing_once(filled, alice, agree):
    correction = correct(filled, alice)
    actions.undo_correction(correction, by=alice, now=NOW)
    actions.undo_correction(correction, by=alice, now=NOW)
    assert AuditEntry.objects.filter(verb="undo").count() == 1
    agree(filled)


@pytest.mark.parametrize(
    ("task", "new", "shown"), [("intent", "help", "help"), ("detected_language", "nl", "nl"), ("urgency", "90", 90)]
)
def test_every_annotation_can_be_corrected_and_undone(filled, alice, agree, task, new, shown):
    before = of(filled, task)
    correction = correct(filled, alice, task, new)
    assert of(filled, task) == shown
    agree(filled)
    actions.undo_correction(correction, by=alice, now=NOW)
    assert of(filled, task) == before
    agree(filled)


def test_the_language_is_counted_by_day_under_its_new_name(filled, alice):
    correct(filled, alice, "detected_language", "nl")
    cells = DayCube.objects.filter(workspace=filled, monitor=0, dimension="language", value="nl")
    assert sum(cells.values_list("posts", flat=True)) == 1


def test_it_is_kept_as_a_label_with_what_the_model_had_said(filled, alice):
    correct(filled, alice)
    kept = Correction.objects.get()
    assert (kept.old, kept.new, kept.by) == ("positive", "negative", alice) and kept.model
    entry = AuditEntry.objects.get(verb="correct")
    assert (entry.before, entry.after) == ({"sentiment": "positive"}, {"sentiment": "negative"})


@pytest.mark.parametrize(
    ("task", "new", "why"),
    [
        ("sentiment", "splendid", "none of"),
        ("urgency", "101", "0 to 100"),
        ("urgency", "-1", "0 to 100"),
        ("uid", "x", "cannot be corrected"),
    ],
)
def test_what_is_no_answer_is_refused(filled, alice, task, new, why):
    with pytest.raises(actions.Refused, match=why):
        correct(filled, alice, task, new)
    assert not Correction.objects.exists()


def test_a_post_that_is_gone_cannot_be_corrected(filled, alice):
    with pytest.raises(actions.Refused, match="not in the archive"):
        correct(filled, alice, uid="feed:example.org:404")
