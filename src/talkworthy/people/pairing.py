"""Compares records and says which pairs may be one: Splink over DuckDB in memory. Knows no desk.

Of what a comparison is worth the records themselves tell: `u` from random pairs, `m` by expectation maximisation
where there are enough of them; before that what analysis assumes holds.
"""

import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from talkworthy.analysis import linkage
from talkworthy.archive.durable import lives

if TYPE_CHECKING:
    from splink import Linker
    from splink.internals.blocking_rule_creator import BlockingRuleCreator

ENOUGH = 1000
"""Records from which on they are asked what a comparison is worth."""
SAMPLED = 5e5
"""Random pairs by which it is counted how often any two agree."""
SEED = 7
SPILLED = "linking-"
WEAKEST = 0.005
"""Probability below which a pair counts as one that has nothing in common."""


@dataclass(frozen=True)
class Pair:
    """Two records, the probability that they are of one person, and what speaks for and against it."""

    left: str
    right: str
    probability: float
    evidence: Sequence[linkage.Evidence]


def linked(
    records: Sequence[Mapping[str, str | None]],
    *,
    least: float = linkage.SUGGESTED_FROM,
    explained: bool = True,
    memory: str = "1GB",
    threads: int = 2,
    scratch: Path | None = None,
) -> list[Pair]:
    """Pairs of records that are of one person with at least that probability, the likeliest first.

    What does not fit into `memory` goes to a folder inside `scratch` meanwhile, by default where the system keeps
    what is temporary.
    """
    with _splink(records, memory=memory, threads=threads, scratch=scratch) as linker_of:
        settings = settings_of(len(records))
        if len(records) >= ENOUGH:
            settings = _learnt(linker_of(settings), settings)
            if len(records) <= linkage.FEW:
                settings = _without_matches(settings, linker_of(settings), len(records))
        found = linker_of(settings).inference.predict(threshold_match_probability=least)
        rows = found.as_duckdbpyrelation().to_arrow_table()
    pairs = [_pair(row, explained=explained) for row in rows.to_pylist()]
    return sorted(pairs, key=lambda pair: -pair.probability)


def tied(records: Sequence[Mapping[str, str | None]]) -> list[tuple[str, str, float]]:
    """Every pair that may be one however weakly, for groups: what is weak alone may hold together."""
    found = linked(records, least=WEAKEST, explained=False)
    return [(pair.left, pair.right, pair.probability) for pair in found]


@contextmanager
def _splink(
    records: Sequence[Mapping[str, str | None]], *, memory: str, threads: int, scratch: Path | None
) -> "Iterator[Callable[[dict[str, Any]], Linker]]":
    """What makes a linker over the records from settings; DuckDB forgets them afterwards."""
    import duckdb
    from splink import DuckDBAPI, Linker

    logging.getLogger("splink").setLevel(logging.ERROR)
    table = pa.Table.from_pylist(
        [dict(record) for record in records],
        schema=pa.schema([(name, pa.string()) for name in linkage.COLUMNS]),
    )
    with _scratch(scratch) as spilled:
        config: dict[str, Any] = {"memory_limit": memory, "threads": threads, "temp_directory": spilled}
        connection = duckdb.connect(":memory:", config=config)
        try:
            api = DuckDBAPI(connection=connection)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                registered = api.register(table)
                yield lambda settings: Linker(registered, settings, log_level=logging.ERROR)
        finally:
            connection.close()


@contextmanager
def _scratch(folder: Path | None) -> Iterator[str]:
    """A folder that is gone afterwards; what a killed process left of people's names and addresses goes first."""
    for left in folder.glob(f"{SPILLED}*") if folder is not None else ():
        if not lives(int(left.name.removeprefix(SPILLED).partition("-")[0])):
            shutil.rmtree(left, ignore_errors=True)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{SPILLED}{os.getpid()}-", dir=folder) as spilled:
        yield spilled


def settings_of(count: int) -> dict[str, Any]:
    """The model in Splink's words."""
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "unique_id",
        "probability_two_random_records_match": min(1 / max(count, 10), 0.05),
        "comparisons": [_comparison(each, counts_rarity=count >= ENOUGH) for each in linkage.COMPARISONS],
        "blocking_rules_to_generate_predictions": [
            {"blocking_rule": _rule(block), "sql_dialect": "duckdb"}
            for block in (*linkage.BLOCKS, *(linkage.WIDE_BLOCKS if count <= linkage.FEW else ()))
        ],
        "retain_matching_columns": True,
        "retain_intermediate_calculation_columns": True,
    }


def _learnt(linker: "Linker", assumed: dict[str, Any]) -> dict[str, Any]:
    """Settings with what the records say each comparison is worth; where no two are certainly one, as assumed."""
    from splink import block_on
    from splink.internals.exceptions import EMTrainingException

    certain: list[str | BlockingRuleCreator] = [_rule(block) for block in linkage.CERTAIN]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.7)
    share = linker.misc.save_model_to_json()["probability_two_random_records_match"]  # EM would lose it
    if not share:
        return assumed
    linker.training.estimate_u_using_random_sampling(max_pairs=SAMPLED, seed=SEED)
    for block in linkage.TAUGHT_BY:
        with suppress(EMTrainingException):
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(*block))
    settings: dict[str, Any] = linker.misc.save_model_to_json()
    return {**settings, "probability_two_random_records_match": share}


def _without_matches(settings: dict[str, Any], linker: "Linker", count: int) -> dict[str, Any]:
    """The settings once more, now that it is known how many of any two are one: among few records that is a lot."""
    found = linker.inference.predict(threshold_match_probability=0.5).as_duckdbpyrelation()
    likely = found.aggregate("coalesce(sum(match_probability), 0) AS likely").to_arrow_table()["likely"][0].as_py()
    share = float(likely) / (count * (count - 1) / 2)
    settings = {**settings, "probability_two_random_records_match": max(share, 1e-9)}
    for comparison in settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            if "m_probability" in level and "u_probability" in level:
                level["u_probability"] = linkage.without_matches(
                    level["u_probability"], level["m_probability"], share=share, least=1 / SAMPLED
                )
    return settings


def _comparison(comparison: linkage.Comparison, *, counts_rarity: bool) -> dict[str, Any]:
    null = {"sql_condition": comparison.null, "label_for_charts": "null", "is_null_level": True}
    levels = [
        {
            "sql_condition": level.condition,
            "label_for_charts": level.name,
            "m_probability": level.m,
            "u_probability": level.u,
            **(
                {"tf_adjustment_column": level.rarity, "tf_adjustment_weight": 1.0, "tf_minimum_u_value": 0.0001}
                if level.rarity and counts_rarity
                else {}
            ),
        }
        for level in comparison.levels
    ]
    rest = {
        "sql_condition": "ELSE",
        "label_for_charts": "differs",
        "m_probability": comparison.differs[0],
        "u_probability": comparison.differs[1],
    }
    return {"output_column_name": comparison.field, "comparison_levels": [null, *levels, rest]}


def _rule(block: Sequence[str]) -> str:
    """A block in SQL: `city` on both sides alike, `substr(city, 1, 3)` in part, `given = family` crosswise."""
    sides = []
    for column in block:
        left, crossed, right = column.partition(" = ")
        if column.startswith("substr("):
            sides.append(f"{column.replace('(', '(l.')} = {column.replace('(', '(r.')}")
        else:
            sides.append(f"l.{left} = r.{right if crossed else left}")
    return " AND ".join(sides)


def _pair(row: Mapping[str, Any], *, explained: bool) -> Pair:
    told = linkage.evidence(row) if explained else ()
    return Pair(row["unique_id_l"], row["unique_id_r"], float(row["match_probability"]), told)
