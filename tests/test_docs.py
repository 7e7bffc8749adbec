"""What is written around the code: links lead somewhere, settings are the real ones, no machine is named."""

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pytest

from talkworthy.analysis.pipeline import Pipeline
from talkworthy.schema import posts_table
from talkworthy.web.configuration import VARIABLES

ROOT = Path(__file__).parents[1]
PICTURE_BYTES = 300_000
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
REGISTRY = re.compile(
    r"(?<![\w.-])(?:pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org|proxy\.golang\.org|crates\.io|"
    r"deb\.debian\.org|huggingface\.co|[\w.-]*(?:artifactory|nexus)[\w.-]*\.\w+)\b"
)
MACHINE = re.compile(r"(?<![\w/.])/(?:work|root|home|Users|tmp|workspace)/[\w.-]+")


def pages() -> list[Path]:
    """Every page that belongs to the repository, or is about to."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = listed.stdout.splitlines() or [str(path.relative_to(ROOT)) for path in _found()]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def _found() -> list[Path]:
    """Without git, as in an unpacked archive of the source."""
    folders = [folder for folder in ROOT.iterdir() if folder.is_dir() and folder.name[0] not in "._"]
    return [*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The names under which headings can be linked to."""
    text = CODE.sub(lambda found: found[0] if found[0].count("\n") == 0 else "", page.read_text("utf-8"))
    headings = re.findall(r"^#+ +(.+?)\s*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path, root: Path) -> list[str]:
    """The links of a page that lead nowhere: no such file, no such heading, or out of the repository."""
    wrong = []
    for target in LINK.findall(CODE.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / unquote(name)).resolve() if name else page.resolve()
        if (
            not found.exists()
            or not found.is_relative_to(root.resolve())
            or (anchor and found.suffix == ".md" and anchor not in anchors(found))
        ):
            wrong.append(target)
    return wrong


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path):
    assert broken(page, ROOT) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path):
    (tmp_path / "there.md").write_text("# Here we are\n\n```\n# not a heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#here-we-are) [c](gone.md) [d](there.md#not-a-heading) ![e](gone.png) "
        "[f](https://acme.example/gone.md) `[g](gone.md)` [h](../outside.md) [i](#nowhere)\n"
    )
    (tmp_path.parent / "outside.md").touch()
    assert broken(page, tmp_path) == ["gone.md", "there.md#not-a-heading", "gone.png", "../outside.md", "#nowhere"]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_registry_or_a_machine(page: Path):
    text = page.read_text("utf-8")
    assert [found[0] for pattern in (REGISTRY, MACHINE) for found in pattern.finditer(text)] == []


def test_a_registry_and_a_path_of_a_machine_would_be_noticed():
    assert REGISTRY.search("--index-url https://" + "pypi" + ".org/simple")
    assert REGISTRY.search("from artifactory.acme.example")
    assert MACHINE.search("see /home/alice/notes")
    assert not MACHINE.search("https://acme.example/home/alice")


def test_every_page_can_be_reached_from_the_index():
    index = ROOT / "docs" / "README.md"
    seen, waiting = set[Path](), [index.resolve()]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        targets = LINK.findall(CODE.sub("", page.read_text("utf-8")))
        waiting += [
            (page.parent / unquote(target.partition("#")[0])).resolve() for target in targets if ":" not in target
        ]
    docs = {page.resolve() for page in pages() if page.is_relative_to(ROOT / "docs")}
    assert sorted(str(page.relative_to(ROOT)) for page in docs - seen) == []


def test_every_picture_is_small():
    heavy = [path.name for path in (ROOT / "docs" / "pictures").glob("*") if path.stat().st_size > PICTURE_BYTES]
    assert heavy == []


def test_the_page_of_the_settings_lists_each_with_its_default_and_help():
    page = (ROOT / "docs" / "operate" / "settings.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `TALKWORTHY_")]
    assert rows == [
        f"| `{variable.name}` | {f'`{variable.default}`' if variable.default else '*empty*'} | {variable.help} |"
        for variable in VARIABLES
    ]


def test_the_analyser_that_the_page_teaches_with_fits_into_a_pipeline():
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.DOTALL)
    written: dict[str, Any] = {}
    exec(compile(example, "CONTRIBUTING.md", "exec"), written)
    texts = ("WHY IS IT BROKEN", "Why is it broken", "NO")
    posts = posts_table({"uid": text, "text": text, "published_at": "2026-07-04"} for text in texts)
    (batch,) = posts.to_batches()
    answered: pa.RecordBatch = Pipeline([written["Shouting"]()]).run(batch)
    assert answered["shouting"].to_pylist() == [True, False, None]


def test_the_arrows_of_the_architecture_are_the_contract_of_the_rooms():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    arrows = " → ".join(layers).replace("talkworthy.", "")
    assert arrows in (ROOT / "ARCHITECTURE.md").read_text("utf-8")


def test_what_the_architecture_names_is_in_the_file_that_it_names():
    """`**`file.py`** `name`` and `file.py` `name`: the name is defined in that file."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    files = re.findall(r"`([\w/]+/\w+\.py)`", text)
    assert len(files) > 12
    assert [name for name in files if not (ROOT / "src/talkworthy" / name).is_file()] == []
    named = re.findall(r"`([\w/]+/\w+\.py)`(?:\*\*)?\s+`([\w.]+)`", text)
    assert len(named) > 12
    missing = []
    for file, name in named:
        source = (ROOT / "src/talkworthy" / file).read_text("utf-8")
        missing += [f"{file} {part}" for part in name.split(".") if not re.search(rf"(?:def|class) {part}\b", source)]
    assert missing == []
