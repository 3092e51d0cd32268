"""The table of chat's fields on Converse in docs/gateway.md is the one in the code."""

from collections.abc import Iterator
from pathlib import Path

from spillway.adapters.upstreams.converse.fields import FIELDS, NESTED

PAGE = Path(__file__).parents[3] / "docs" / "gateway.md"


def rows() -> Iterator[str]:
    yield "| field | on Converse | how |"
    yield "|---|---|---|"
    for name, field in sorted({**FIELDS, **NESTED}.items()):
        yield f"| `{name}` | {field.fate} | {field.how} |"


def test_the_page_has_the_codes_table() -> None:
    table = "\n".join(rows())
    assert table in PAGE.read_text(encoding="utf-8"), f"docs/gateway.md lacks this table:\n\n{table}"
