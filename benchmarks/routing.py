"""Rules and the default playbook over a stream of mentions: mentions and verdicts a second, one core.

    python benchmarks/routing.py [--rules 1000] [--mentions 20480] [--batch 500] [--texts FILE]

Rules have 3 to 30 terms as the monitors of `matching.py` have, each with one to three effects, every tenth of them
asking the playbook. Mentions are made with the frequencies of natural language and annotated by the default pipeline
beforehand; `--texts` reads real ones instead, one a line. Mentions come in batches as large as one worker claims at
once. Of the desk only how far the authors are heard is asked, of none of whom anything is known; it is what the rules
and the playbook cost. Everything is seeded.
"""

import argparse
import os
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from matching import made_queries, made_texts, words

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "talkworthy.web.settings")
os.environ.setdefault("TALKWORTHY_DATA", tempfile.mkdtemp(prefix="talkworthy-routing-"))

import django  # the settings above come first

django.setup()

from django.core.management import call_command  # noqa: E402 - after the settings

from talkworthy.analysis import default_pipeline  # noqa: E402 - after the settings
from talkworthy.listening.voices import heard_of  # noqa: E402 - after the settings
from talkworthy.query import Matcher, compile_query, parse  # noqa: E402 - after the settings
from talkworthy.routing.playbook import Compiled, compile_playbook, default_tree  # noqa: E402 - after the settings
from talkworthy.routing.rulebook import RuleBook, facts_of  # noqa: E402 - after the settings
from talkworthy.routing.rules import Ruling, read_effects  # noqa: E402 - after the settings
from talkworthy.routing.triage import decide_all, known  # noqa: E402 - after the settings
from talkworthy.schema import posts_table  # noqa: E402 - after the settings
from talkworthy.workspaces.models import Workspace  # noqa: E402 - after the settings

NOW = datetime(2026, 7, 1, tzinfo=UTC)
WARM = 4
"""Batches that warm the caches, not counted."""


def mentions(texts: Sequence[str]) -> pa.Table:
    """Posts of these texts with their annotations."""
    rows = [
        {"uid": f"bench:{place}", "channel": "bench", "text": text, "published_at": NOW}
        for place, text in enumerate(texts)
    ]
    return pa.Table.from_batches([default_pipeline().run(batch) for batch in posts_table(rows).to_batches()])


def effects(place: int, chance: random.Random) -> list[dict[str, Any]]:
    """One to three effects; every tenth rule asks the playbook."""
    choices: list[dict[str, Any]] = [
        {"do": "open_case"},
        {"do": "tag", "tag": f"tag {place % 50}"},
        {"do": "assign_team", "team": 1 + place % 9},
        {"do": "priority", "priority": chance.choice(("risk", "service", "low"))},
        {"do": "inform", "member": 1 + place % 20},
    ]
    chosen = chance.sample(choices, chance.randint(1, 3))
    return [{"do": "triage"}, *chosen[:2]] if place % 10 == 0 else chosen


def rulebook(
    workspace: Workspace, queries: Sequence[str], compiled: Compiled | None, chance: random.Random
) -> RuleBook:
    """A book of rules with these conditions, in their order."""
    made = {
        number: compile_query(parse(query, stage="search"), now=NOW) for number, query in enumerate(queries, start=1)
    }
    rulings = {number: Ruling(number, 1, read_effects(effects(number, chance))) for number in made}
    names = {number: f"rule {number}" for number in made}
    return RuleBook(
        workspace, rulings, names, tuple(made.values()), Matcher(made), {}, 1 if compiled else None, compiled
    )


def timed(name: str, run: Any, batches: Sequence[pa.Table]) -> list[Any]:
    """Run over each batch, the first to warm, and say how many mentions a second the rest made."""
    for batch in batches[:WARM]:
        run(batch)
    counted = batches[WARM:]
    began = time.perf_counter()
    found = [one for batch in counted for one in run(batch)]
    seconds = time.perf_counter() - began
    print(f"{name}: {sum(batch.num_rows for batch in counted) / seconds:,.0f} mentions/s")
    return found


def main() -> None:
    """Measure, and print what was found."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--rules", type=int, default=1_000)
    told.add_argument("--mentions", type=int, default=20_480)
    told.add_argument("--batch", type=int, default=500)
    told.add_argument("--length", type=int, default=160)
    told.add_argument("--texts", type=Path)
    given = told.parse_args()
    chance = random.Random(7)
    pa.set_cpu_count(1)
    vocabulary = words(30_000, chance)
    texts = (
        given.texts.read_text(encoding="utf-8").splitlines()[: given.mentions]
        if given.texts
        else made_texts(given.mentions, vocabulary, given.length, chance)
    )
    stream = mentions(texts)
    batches = [stream.slice(start, given.batch) for start in range(0, stream.num_rows, given.batch)]
    call_command("migrate", verbosity=0)
    workspace = Workspace.objects.create(name="Bench", slug="bench")
    compiled = compile_playbook(known(default_tree()), now=NOW)
    queries = made_queries(given.rules, vocabulary, chance)
    print(f"{given.rules:,} rules, {stream.num_rows:,} mentions by {given.batch}; load {os.getloadavg()[0]:.1f}")
    timed("rules alone", rulebook(workspace, queries, None, random.Random(7)).verdicts, batches)
    found = timed(
        "rules, and the playbook where they ask it",
        rulebook(workspace, queries, compiled, random.Random(7)).verdicts,
        batches,
    )
    held = sum(len(verdict.plan.rules) for verdict in found)
    asked = sum(verdict.triage is not None for verdict in found)
    print(f"  {held / len(found):.2f} rules held of a mention; the playbook was asked of {asked / len(found):.1%}")

    def decided(batch: pa.Table) -> list[Any]:
        rows = batch.to_pylist()
        heard = heard_of(workspace, rows)
        return decide_all(compiled, [facts_of(row, {}, voice, {}) for row, voice in zip(rows, heard, strict=True)])

    timed("the playbook of every mention", decided, batches)


if __name__ == "__main__":
    main()
