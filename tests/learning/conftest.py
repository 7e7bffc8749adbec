"""What the tests of learning share: posts that arrive, a model that was trained, and the counts made anew."""

from datetime import UTC, datetime, timedelta

import pytest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
WORDS = (
    ("that drop was sick mate", "positive"),
    ("doors open at nine", "neutral"),
    ("the sound was awful", "negative"),
)


@pytest.fixture
def arrive():
    """Store posts as posts are stored; their uids."""

    def put(workspace, texts, seq, start, step=1):
        from talkworthy.listening.collecting import Listener, source_key
        from talkworthy.listening.models import Source
        from talkworthy.schema import posts_table

        source = Source.objects.get(workspace=workspace)
        rows = [
            {
                "uid": f"feed:example.org:{start + number}",
                "text": text,
                "published_at": NOW - timedelta(minutes=start + step * number),
                "collected_at": NOW,
                "source": source_key(source),
            }
            for number, text in enumerate(texts)
        ]
        listener = Listener(workspace)
        listener.archive.spool.write(source_key(source), seq, posts_table(rows))
        listener.store_pending(now=NOW)
        return [row["uid"] for row in rows]

    return put


@pytest.fixture
def post_of():
    """The row of a post."""

    def found(workspace, uid):
        from talkworthy.listening.stores import archive_of

        return archive_of(workspace).get(uid)

    return found


@pytest.fixture
def run():
    """Do a job to its end, as the worker does it."""

    def done(job, listener=None):
        from talkworthy.listening.collecting import Listener
        from talkworthy.listening.jobs import claim_this, run_job

        run_job(claim_this(job, now=NOW), listener or Listener(job.workspace))
        job.refresh_from_db()
        return job

    return done


def _wanted():
    return [(f"{WORDS[number % 3][0]} {number}", WORDS[number % 3][1]) for number in range(30)]


@pytest.fixture
def trained(filled, alice, arrive, post_of, run):
    """A model of sentiment that learned from thirty posts drawn by lot, in the process that trains."""
    from talkworthy.learning import actions
    from talkworthy.learning.models import TrainedModel

    uids = arrive(filled, [text for text, _answer in _wanted()], 2, 100)
    for uid, (_text, answer) in zip(uids, _wanted(), strict=True):
        post = post_of(filled, uid)
        actions.label_post(filled, post, task="sentiment", value=answer, drawn=True, by=alice, now=NOW)
    job = run(actions.start_retraining(filled, "sentiment", by=alice, now=NOW))
    assert job.state == "done", job.error
    return TrainedModel.objects.get(workspace=filled)


@pytest.fixture(scope="session")
def learned():
    """What training on such posts gives: its file, and what is kept of it."""
    from talkworthy.analysis.training.adapting import Labelled, adapt
    from talkworthy.analysis.training.packing import packed

    found = adapt("sentiment", [Labelled(*pair, True) for pair in _wanted()], told=lambda _done, _total: None)
    return packed(found.arrays), {"thresholds": dict(found.thresholds), "comparison": found.comparison.as_json()}


@pytest.fixture
def own_model(filled, alice, learned):
    """Model 1 of sentiment of Acme, trained beforehand."""
    import hashlib

    from talkworthy.analysis.registry import model
    from talkworthy.analysis.scoring import FEATURES
    from talkworthy.learning.models import TrainedModel
    from talkworthy.learning.stores import file_of, models_folder

    content, kept = learned
    made = TrainedModel.objects.create(
        workspace=filled,
        task="sentiment",
        number=1,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        features=model(FEATURES).sha256,
        labels=30,
        drawn=30,
        by=alice,
        **kept,
    )
    models_folder(filled).mkdir(parents=True)
    file_of(made).write_bytes(content)
    return made


def _cells(workspace):
    from talkworthy.listening.models import DayCube, HourCube

    hours = HourCube.objects.filter(workspace=workspace).values_list(
        "monitor", "hour", "channel", "sentiment", "posts", "replies", "shares", "likes"
    )
    days = DayCube.objects.filter(workspace=workspace).values_list("monitor", "day", "dimension", "value", "posts")
    return sorted(hours), sorted(days)


@pytest.fixture
def agree():
    """Assert that the cubes of a workspace hold what counting anew gives."""

    def checked(workspace):
        from talkworthy.listening import cube
        from talkworthy.listening.stores import archive_of

        held = _cells(workspace)
        assert cube.differences(workspace, archive_of(workspace)) == {}
        cube.rebuild(workspace, archive_of(workspace))
        assert held == _cells(workspace) and held[0]

    return checked
