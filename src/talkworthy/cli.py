"""The command `talkworthy`: thin; each verb calls the room that does the work, and imports it only then."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click

from talkworthy import __version__

STANDARD = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
DIALECT = click.option(
    "--dialect",
    type=click.Choice(["strict", "lenient"]),
    default="strict",
    show_default=True,
    help="Where strict wants brackets, lenient takes NOT before NEAR before AND before OR.",
)
TIER = click.option(
    "--tier",
    type=click.Choice(["fast", "careful", "cascade"]),
    default="fast",
    show_default=True,
    help="How much work an answer is worth; cascade asks the careful tier where the fast one is unsure.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Talkworthy: hear what people say about an organisation, understand it, and search it.

    \b
    First steps
      talkworthy run                        start it, and open the address that it prints
      talkworthy query check 'acme -inc'    try a query before it becomes a monitor
      talkworthy import posts.jsonl         bring your own posts

    \b
    As filters, without a workspace
      talkworthy match --monitors m.yaml < posts.jsonl > matched.jsonl
      talkworthy analyse < posts.jsonl > annotated.jsonl

    Settings are environment variables; `talkworthy doctor` lists them with their values.
    """


# Running


@main.command()
@click.option("--no-worker", is_flag=True, help="Start the web alone; a worker runs elsewhere.")
@click.option("--empty", is_flag=True, help="At the first start, leave out the recorded posts.")
def run(no_worker: bool, empty: bool) -> None:
    """Start web and worker, and print the address. Ctrl-C stops both.

    The first start makes the data folder, a workspace of recorded posts and an administrator, whose password is
    printed once.

    \b
    talkworthy run
    TALKWORTHY_PORT=8200 talkworthy run --empty
    """
    from talkworthy.worker.starting import start

    with _said_plainly():
        raise SystemExit(start(worker=not no_worker, recorded=not empty))


@main.command(hidden=True)
def web() -> None:
    """Serve the pages alone."""
    from talkworthy.web.serving import serve

    with _said_plainly():
        serve()


@main.command()
@click.option("--once", is_flag=True, help="Fetch what is due, store it, and end.")
def listen(once: bool) -> None:
    """Run the worker alone: fetch, store, match, alert. Ctrl-C stops it; nothing is lost.

    \b
    talkworthy listen --once        for a timer, such as cron
    """
    with _said_plainly():
        _desk()
        from talkworthy.worker.loop import Worker, only_worker
        from talkworthy.worker.loop import run as run_worker

        if not once:
            run_worker()
            return
        with only_worker():
            worker = Worker()
            worker.run_once()
            worker.run_jobs()


@main.command()
def doctor() -> None:
    """Say what is set, what is there, and what is wrong. Changes nothing; ends with 1 where something is wrong.

    \b
    TALKWORTHY_DATA=/srv/talkworthy talkworthy doctor
    """
    with _said_plainly():
        _desk()
        from talkworthy.worker.doctor import examine

        raise SystemExit(examine(click.echo))


@main.command("move-desk")
@click.option("--to", "url", required=True, help="Address of an empty database; - reads it from standard input.")
def move_desk(url: str) -> None:
    """Copy the desk from SQLite to an empty PostgreSQL database. Stop Talkworthy first.

    Every row is copied and compared, in one transaction there: all of it or nothing. The desk here stays as it is,
    and the archive and the files stay where they are.

    \b
    talkworthy move-desk --to postgresql://talkworthy:PASSWORD@db.example.org/talkworthy
    """
    with _said_plainly():
        _desk()
        from talkworthy.worker.moving import move_desk as move

        moved = move(_argument(url).strip(), told=_told_by_table())
        for table, rows in moved.rows.items():
            if rows:
                click.echo(f"{rows:>12,}  {table}")
        click.echo(f"{sum(moved.rows.values()):,} rows are there, and equal to those here.")
        click.echo("Set TALKWORTHY_DATABASE_URL to that address, and start Talkworthy again.")


# Posts in and out


@main.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--workspace", help="Slug of the workspace; not needed where there is one.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet", "activitystreams", "csv"]),
    help="Read off the file's name unless given.",
)
@click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="For CSV: which column holds a field of the post; guessed unless given. FIELD==VALUE: the same for all.",
)
def import_posts(file: Path, workspace: str | None, form: str | None, mapping: tuple[str, ...]) -> None:
    """Bring a file of posts into a workspace. Importing it again changes nothing.

    \b
    talkworthy import posts.jsonl.gz
    talkworthy import reviews.csv --map native_id=id --map text=body --map published_at=date
    talkworthy import survey.csv --map text=answer --map origin==survey-2026 --map published_at==2026-01-31

    Ids such as 1, 2, 3 from two files are the same posts unless their origin differs: on a terminal you are asked for
    it, elsewhere say --map origin==NAME.
    """
    from talkworthy.listening.exchange import bare_id, format_of, pairs_of

    with _said_plainly():
        _desk()
        from talkworthy.worker.importing import import_now

        form, pairs = form or format_of(file.name), pairs_of(mapping)
        bare = bare_id(file, form, mapping=pairs) if "origin" not in pairs else None
        if bare is not None:
            pairs = {**pairs, **_origin_asked(file, bare)}
        posts, faults = import_now(file, form, workspace=workspace, mapping=pairs, told=_told("posts"))
        for fault in faults[:20]:
            click.echo(f"left out: {fault}", err=True)
        click.echo(f"{posts} posts, {len(faults)} left out.")


@main.command()
@click.argument("query", default="")
@click.option("--workspace", help="Slug of the workspace; not needed where there is one.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "parquet", "activitystreams", "csv"]),
    default="jsonl",
    show_default=True,
    help="What is written; a file named .gz is packed.",
)
@click.option("--since", type=click.DateTime(), help="First moment, UTC.")
@click.option("--until", type=click.DateTime(), help="First moment that is too late, UTC.")
@click.option("-o", "--output", type=STANDARD, default="-", help="File to write; standard output unless given.")
def export(
    query: str, workspace: str | None, form: str, since: datetime | None, until: datetime | None, output: Path
) -> None:
    """Write the posts that a query finds; without a query every post.

    \b
    talkworthy export 'steam sentiment:negative' --since 2013-06-01 > posts.jsonl
    """
    with _said_plainly():
        _desk()
        from talkworthy.worker.importing import export_now

        target: Path | BinaryIO = sys.stdout.buffer if str(output) == "-" else output
        n = export_now(query, target, form, workspace=workspace, since=_utc(since), until=_utc(until))
        click.echo(f"{n} posts.", err=True)


@main.command()
@click.option("--channel", help="Channel of the account, such as mastodon.")
@click.option("--author", help="Lasting id of the account in its channel (author.id).")
@click.option("--uid", "uids", multiple=True, help="A single post; may be given several times.")
@click.option("--why", required=True, help="The reason; it stands in the receipt.")
@click.option("--workspace", help="Slug of the workspace; not needed where there is one.")
@click.confirmation_option(prompt="This cannot be undone. Erase?")
def erase(channel: str | None, author: str | None, uids: tuple[str, ...], why: str, workspace: str | None) -> None:
    """Erase a person's posts everywhere: archive, older versions, payloads, exports. Prints the receipt.

    \b
    talkworthy erase --channel mastodon --author https://social.example/users/ann --why 'asked on 3 May'
    """
    with _said_plainly():
        _desk()
        from talkworthy.worker.importing import erase_now

        receipt = erase_now(channel=channel or "", author_id=author or "", uids=uids, why=why, workspace=workspace)
        click.echo(json.dumps(receipt, indent=2, ensure_ascii=False))


@main.command()
@click.argument("query")
@click.option("--monitor", help="Name of the monitor to compare with.")
@click.option("--workspace", help="Slug of the workspace; not needed where there is one.")
@click.option("--since", type=click.DateTime(), help="First moment, UTC.")
@click.option("--until", type=click.DateTime(), help="First moment that is too late, UTC.")
@click.option("--json", "as_json", is_flag=True, help="The whole result as JSON.")
def backtest(
    query: str,
    monitor: str | None,
    workspace: str | None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> None:
    """Run a query over stored history; with --monitor, say what it adds and loses against the saved version.

    \b
    talkworthy backtest 'acme AND (app OR phone)' --monitor Acme --since 2026-01-01
    """
    with _said_plainly():
        _desk()
        from talkworthy.worker.importing import backtest_now

        found = backtest_now(
            query, monitor=monitor, workspace=workspace, since=_utc(since), until=_utc(until), told=_told("slices")
        )
        if as_json:
            click.echo(json.dumps(found, ensure_ascii=False))
            return
        click.echo(
            f"{found['matched']} of {found['scanned']} posts in {found['seconds']} s: "
            f"{found['added']} added, {found['lost']} lost, {found['kept']} kept."
        )
        for day in found["days"][-30:]:
            click.echo(f"{day['day']}  {day['old']:>8}  {day['new']:>8}")


# Queries


@main.group()
def query() -> None:
    """Check, format or explain a query; the language is in docs/reference/query-language.md.

    \b
    talkworthy query check 'coffee (good OR great) -tea'
    """


@query.command("check")
@click.argument("text")
@click.option("--json", "as_json", is_flag=True, help="Print {verdict, errors, warnings}.")
@DIALECT
@click.option(
    "--stage",
    type=click.Choice(["monitor", "search", "desk"]),
    default="search",
    show_default=True,
    help="Where the query will be used.",
)
def query_check(text: str, as_json: bool, dialect: Any, stage: Any) -> None:
    """Say whether a query is valid. Ends with 0 (valid, or warnings on standard error) or 2 (error).

    TEXT may be - for standard input. A query that begins with a minus stands behind two: -- '-tea coffee'.

    \b
    talkworthy query check 'coffee (good OR great) -tea'
    """
    from talkworthy.query import check

    text = _argument(text)
    found = check(text, dialect=dialect, stage=stage)
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False))
    elif found.verdict == "valid":
        click.echo("valid")
    else:
        click.echo(str(found), err=True)
    raise SystemExit(2 if found.verdict == "error" else 0)


@query.command("format")
@click.argument("text")
@DIALECT
def query_format(text: str, dialect: Any) -> None:
    """Print a query in its standard form. TEXT may be - for standard input.

    \b
    talkworthy query format 'tea  OR coffee   AND  "oat milk"' --dialect lenient
    """
    from talkworthy.query import format_query, parse

    with _query_errors():
        click.echo(format_query(parse(_argument(text), dialect=dialect)))


@query.command("explain")
@click.argument("text")
@click.argument("posts", type=STANDARD, default="-")
@DIALECT
@click.option("--json", "as_json", is_flag=True, help="One JSON object a post.")
def query_explain(text: str, posts: Path, dialect: Any, as_json: bool) -> None:
    """Say for each post which terms of a query hit where, and which branch failed.

    TEXT may be - for standard input where POSTS is a file. POSTS is a JSON Lines or Parquet file, or standard input.

    \b
    talkworthy query explain 'coffee NOT tea' posts.jsonl
    """
    from talkworthy.listening.filtering import explained

    if text == "-" and str(posts) == "-":
        raise click.UsageError("The query and the posts cannot both come from standard input: name a file of posts.")
    with _query_errors():
        lines = explained(
            _argument(text), _input(posts), dialect=dialect, as_json=as_json, now=datetime.now(UTC), warn=_warn
        )
        for line in lines:
            click.echo(line)


# Filters


@main.command()
@click.option(
    "--monitors",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="YAML: name → query.",
)
@click.argument("posts", type=STANDARD, default="-")
@click.option("-o", "--output", type=STANDARD, default="-", help="File to write; .parquet writes Parquet.")
@click.option("--matched", is_flag=True, help="Leave out posts that no monitor finds.")
@DIALECT
def match(monitors: Path, posts: Path, output: Path, matched: bool, dialect: Any) -> None:
    """Add `monitors` to each post: the names of the monitors that match it.

    POSTS is a JSON Lines or Parquet file, or standard input; `uid`, `text` and `published_at` suffice. A line keeps all
    its keys, and one that cannot be read is named on standard error and left out. Memory is bounded. Standard output
    gets the format that came in. Ends with 2 where the file of monitors is wrong.

    \b
    echo 'coffee: coffee AND NOT tea' > m.yaml
    echo '{"uid": "1", "text": "Coffee!", "published_at": "2026-01-01"}' | talkworthy match --monitors m.yaml
    """
    from talkworthy.listening.filtering import match_posts

    with _query_errors():
        match_posts(
            monitors,
            _input(posts),
            _output(output),
            matched=matched,
            dialect=dialect,
            now=datetime.now(UTC),
            warn=_warn,
        )


@main.command()
@click.argument("posts", type=STANDARD, default="-")
@click.option("-o", "--output", type=STANDARD, default="-", help="File to write; .parquet writes Parquet.")
@TIER
@click.option(
    "--engine",
    type=click.Choice(["local", "ray", "spark"]),
    help="Take a whole snapshot, and write it in the order of uid: in this process, on Ray Data, or on Spark.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="With --engine: the folder of an archive instead of POSTS.",
)
@click.option("--as-of", type=int, help="With --archive: version of its table; the newest unless given.")
@click.option("--address", help="With --engine: the cluster, as Ray or Spark name it; this machine unless given.")
@click.option(
    "--work", type=click.Path(path_type=Path, file_okay=False), help="With --engine: a folder that all nodes see."
)
def analyse(
    posts: Path,
    output: Path,
    tier: str,
    engine: str | None,
    archive: Path | None,
    as_of: int | None,
    address: str | None,
    work: Path | None,
) -> None:
    """Add language, sentiment, intent, urgency, links, hashtags and mentions to each post.

    POSTS, what is kept of it, and what is written are as with `match`. Memory is bounded. With --engine, see
    docs/operate/clusters.md.

    \b
    talkworthy analyse posts.jsonl -o annotated.parquet
    talkworthy analyse < posts.jsonl | talkworthy match --monitors m.yaml
    talkworthy analyse --engine spark --archive data/archive/acme -o annotated.parquet
    """
    from talkworthy.listening.filtering import analyse_posts

    if engine is None and (archive or address or work or as_of is not None):
        raise click.UsageError("--archive, --as-of, --address and --work go with --engine.")
    if archive is not None and str(posts) != "-":
        raise click.UsageError("Name a file of posts or an archive, not both.")
    if as_of is not None and archive is None:
        raise click.UsageError("--as-of names a version of an archive: add --archive.")
    with _query_errors():
        if engine is None:
            analyse_posts(_input(posts), _output(output), tier=tier, warn=_warn)
            return
        from talkworthy import engines

        plan = engines.Plan(engine, address=address, work=work, tier=tier)
        if archive is None:
            done = engines.analyse_file(_input(posts), _output(output), plan, warn=_warn, told=_told("posts"))
        else:
            done = engines.analyse_archive(archive, _output(output), plan, version=as_of, told=_told("posts"))
        _warn(str(done))


# Models


@main.command()
@click.argument("task")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--text", help="Column of the text.")
@click.option("--label", help="Column of the label.")
@click.option("--target", help="Column of the target, for target-sentiment.")
@click.option("--map", "mapping", multiple=True, metavar="LABEL=MEANING", help="What a label of the file means.")
@TIER
@click.option("--json", "as_json", is_flag=True, help="The whole result as JSON.")
def evaluate(
    task: str,
    file: Path,
    text: str | None,
    label: str | None,
    target: str | None,
    mapping: tuple[str, ...],
    tier: str,
    as_json: bool,
) -> None:
    """Measure the shipped model of TASK on a labelled file (JSON Lines, CSV or Parquet, also .gz).

    \b
    talkworthy evaluate sentiment tweets.csv.gz --text body --label mood --map good=positive --json
    """
    from talkworthy.analysis import evaluate_file

    meanings = dict(pair.split("=", 1) for pair in mapping if "=" in pair)
    link: Any = None
    if task == "linkage":
        from talkworthy.people.pairing import tied

        link = tied
    with _said_plainly():
        found = evaluate_file(
            task, file, text=text, label=label, target=target, mapping=meanings or None, tier=tier, link=link
        )
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        click.echo(f"{name:<20} {value:.4f}" if isinstance(value, float) else f"{name:<20} {value}")


@main.command()
@click.argument("task")
@click.argument("data", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--kept",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder in which vectors of the careful tier are left, and looked for: making them takes minutes.",
)
def train(task: str, data: Path, out: Path, kept: Path | None) -> None:
    """Train the model of TASK, or `all`, anew from the folder DATA into the folder OUT.

    \b
    talkworthy train sentiment labelled-sets/ models/
    """
    from talkworthy.analysis.training import train as train_model

    with _said_plainly():
        click.echo(json.dumps(train_model(task, data, out, kept=kept), ensure_ascii=False, default=str))


# What the verbs share


def _desk() -> None:
    """Make the desk usable in this process."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "talkworthy.web.settings")
    django.setup()


@contextmanager
def _said_plainly() -> Iterator[None]:
    """Errors that a person can mend, without a traceback."""
    from talkworthy.web.configuration import BadSetting

    try:
        yield
    except (BadSetting, ValueError, OSError) as error:
        if os.environ.get("TALKWORTHY_DEBUG"):
            raise
        raise click.ClickException(str(error)) from error
    except RuntimeError as error:
        if type(error).__module__.startswith("talkworthy."):
            raise click.ClickException(str(error)) from error
        raise


@contextmanager
def _query_errors() -> Iterator[None]:
    from talkworthy.listening.filtering import BadMonitors
    from talkworthy.query import QueryError

    try:
        yield
    except (QueryError, BadMonitors) as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from error
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(141) from error
        raise click.ClickException(str(error)) from error


def _argument(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _input(path: Path) -> Path | BinaryIO:
    return sys.stdin.buffer if str(path) == "-" else path


def _output(path: Path) -> Path | BinaryIO:
    return sys.stdout.buffer if str(path) == "-" else path


def _warn(message: str) -> None:
    click.echo(message, err=True)


def _told(unit: str) -> Any:
    """Show progress on a terminal, and nowhere else."""

    def told(done: int, total: int | None) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{done:,}{f' of {total:,}' if total else ''} {unit}", nl=False, err=True)

    return told


def _origin_asked(file: Path, bare: str) -> dict[str, str]:
    """Where posts come from whose ids do not say it: asked on a terminal, and else said that it should be told."""
    from talkworthy.listening.uploads import origin_of

    if not sys.stdin.isatty():
        _warn(f"Ids such as {bare} do not say where they come from; in another file {bare} is the same post.")
        _warn(f"Where it is not, import with --map origin==NAME, such as --map origin=={origin_of(file.name)}.")
        return {}
    click.echo(f"Ids such as {bare} do not say where they come from; the same id of another origin is another post.")
    origin = click.prompt("Origin (- for none)", default=origin_of(file.name) or "-").strip()
    return {} if origin == "-" else {"origin": f"={origin}"}


def _told_by_table() -> Any:
    """Show how far each table is on a terminal, and nowhere else."""

    def told(table: str, done: int, total: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{table} {done:,} of {total:,} rows\033[K", nl=done == total, err=True)

    return told


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


if __name__ == "__main__":
    main()
