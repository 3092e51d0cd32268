"""The pages name what there is, and each check is shown to fail when they don't."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
PACKAGE = REPOSITORY / "layers" / "spillway" / "src" / "spillway"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "findings" / "README.md", *sorted(REPOSITORY.glob("docs/**/*.md"))]
DECISIONS = REPOSITORY / "docs" / "decisions"
# What running the product leaves here; a fresh clone has none of it.
_MADE = {line.rstrip("/") for line in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").split()}

_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NUMBERED = re.compile(r"\[(?:decision )?(\d+)\]\([\w./]*?(\d{4})-")
_PATH = re.compile(r"`(\.?[\w-]+(?:/[\w.*-]+)*/[\w.*-]*)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """Return what GitHub makes of a page's headings."""
    plain = (re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", heading) for heading in _HEADING.findall(_FENCED.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def link_problems(page: Path, text: str) -> Iterator[str]:
    """Relative links lead to files, their anchors to headings."""
    for link in _LINK.findall(_FENCED.sub("", text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists():
            yield f"{link} leads nowhere"
        elif anchor and anchor not in anchors(text if target == page else target.read_text(encoding="utf-8")):
            yield f"{link} names no heading"


def number_problems(text: str) -> Iterator[str]:
    """A link to a decision that says its number says the right one."""
    yield from (f"{said} links to {number}" for said, number in _NUMBERED.findall(text) if int(said) != int(number))


def path_problems(text: str) -> Iterator[str]:
    """What begins like a path of the repository or of the package is one; a star stands for any name."""
    for path in _PATH.findall(_FENCED.sub("", text)):
        top = path.partition("/")[0]
        for root in (REPOSITORY, PACKAGE):
            if top not in _MADE and (root / top).is_dir() and not any(root.glob(path.rstrip("/"))):
                yield f"{path} is not there"


def index_problems(index: str, decisions: dict[str, str]) -> Iterator[str]:
    """The index has a row for each decision, with what the file says, and numbers have no holes."""
    rows = re.findall(r"^\| \[(\d+)\]\((\S+)\) \| (.+) \| (\S+) \| (.+) \|$", index, re.MULTILINE)
    listed = {name: (int(number), title, date, status) for number, name, title, date, status in rows}
    for number, (name, text) in enumerate(sorted(decisions.items()), 1):
        if not name.startswith(f"{number:04d}-"):
            yield f"{name} is number {number}"
        found = re.match(r"# (\d+)\. (.+)\n\nDate: (\d{4}-\d\d-\d\d)\n\nStatus: (.+)\n", text)
        if found is None:
            yield f"{name} does not begin with its number, title, date and status"
        elif listed.pop(name, None) != (int(found[1]), *found.groups()[1:]):
            yield f"the index has another row for {name}, or none"
        elif int(found[1]) != number:
            yield f"{name} says that it is number {found[1]}"
    yield from (f"the index lists {name}, which is not there" for name in listed)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [*link_problems(page, text), *number_problems(text), *path_problems(text)] == []


def test_pages_that_comments_name_are_there() -> None:
    sources = [each for top in ("functions", "layers", "tests") for each in (REPOSITORY / top).glob("**/*.py")]
    sources += [REPOSITORY / "template.yaml", REPOSITORY / "Makefile", *(REPOSITORY / "statemachines").glob("*.yaml")]
    named = {
        (each.name, page)
        for each in sources
        if each != Path(__file__)
        for page in re.findall(r"docs/[\w/-]+\.md", each.read_text(encoding="utf-8"))
    }
    assert [each for each in sorted(named) if not (REPOSITORY / each[1]).is_file()] == []


def test_the_index_of_decisions_is_whole() -> None:
    decisions = {each.name: each.read_text(encoding="utf-8") for each in DECISIONS.glob("[0-9]*.md")}
    assert list(index_problems((DECISIONS / "README.md").read_text(encoding="utf-8"), decisions)) == []


def test_every_finding_is_listed() -> None:
    scripts = {each.name for each in (REPOSITORY / "findings").glob("*.sh")}
    text = (REPOSITORY / "findings" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| \[.+?\]\((\S+)\)", text, re.MULTILINE)) == scripts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[gone](docs/gone.md)", "docs/gone.md leads nowhere"),
        ("[here](docs/gateway.md#gone)", "docs/gateway.md#gone names no heading"),
        ("# Title\n\n[here](#gone)", "#gone names no heading"),
        ("see `tests/gone/test_gone.py`", "tests/gone/test_gone.py is not there"),
        ("see `domain/costs/gone.py`", "domain/costs/gone.py is not there"),
        ("see `domain/gone/`", "domain/gone/ is not there"),
        ("[decision 2](docs/decisions/0001-gateway-outside-the-vpc.md)", "2 links to 0001"),
    ],
)
def test_a_name_of_nothing_is_found_out(text: str, problem: str) -> None:
    assert [*link_problems(REPOSITORY / "README.md", text), *number_problems(text), *path_problems(text)] == [problem]


@pytest.mark.parametrize(
    "text", ["`meta-llama/Llama-3.1-8B-Instruct`", "`text/event-stream`", "`functions/*/app.py`", "`domain/costs/`"]
)
def test_what_is_no_path_of_ours_or_is_there_passes(text: str) -> None:
    assert list(path_problems(text)) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("accepted |", "superseded |"), "the index has another row for 0001-one.md, or none"),
        (("0001-one", "0001-two"), "the index has another row for 0001-one.md, or none"),
        (("2026-11-24", "2026-11-25"), "the index has another row for 0001-one.md, or none"),
    ],
)
def test_an_index_that_is_wrong_is_found_out(change: tuple[str, str], problem: str) -> None:
    index = "| [0001](0001-one.md) | One | 2026-11-24 | accepted |\n"
    decisions = {"0001-one.md": "# 1. One\n\nDate: 2026-11-24\n\nStatus: accepted\n\nText."}
    assert list(index_problems(index, decisions)) == []
    assert next(index_problems(index.replace(*change), decisions)) == problem


def test_a_hole_in_the_numbers_is_found_out() -> None:
    index = "| [0002](0002-two.md) | Two | 2026-11-24 | accepted |\n"
    decisions = {"0002-two.md": "# 2. Two\n\nDate: 2026-11-24\n\nStatus: accepted\n\nText."}
    assert next(index_problems(index, decisions)) == "0002-two.md is number 1"
