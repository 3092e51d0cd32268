"""The table of embeddings' fields on Bedrock in docs/gateway.md is the code's, and has every field of OpenAI's type."""

from collections.abc import Iterator
from pathlib import Path

from openai.types import EmbeddingCreateParams

from spillway.adapters.upstreams.bedrock_embeddings.fields import FIELDS

PAGE = Path(__file__).parents[3] / "docs" / "gateway.md"


def rows() -> Iterator[str]:
    yield "| field | on Bedrock |"
    yield "|---|---|"
    for name, fate in sorted(FIELDS.items()):
        yield f"| `{name}` | {fate} |"


def test_the_page_has_the_codes_table() -> None:
    table = "\n".join(rows())
    assert table in PAGE.read_text(encoding="utf-8"), f"docs/gateway.md lacks this table:\n\n{table}"


def test_no_field_of_openais_is_left_out() -> None:
    assert EmbeddingCreateParams.__annotations__.keys() <= FIELDS.keys()
