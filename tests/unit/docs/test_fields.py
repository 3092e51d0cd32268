"""The tables of fields in docs/gateway.md are the ones in the code."""

from pathlib import Path

import pytest

from spillway.gateway.upstream import Endpoint
from tests.openai_fields import ENDPOINTS, page_of

PAGE = Path(__file__).parents[3] / "docs" / "gateway.md"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_page_has_the_codes_table(endpoint: Endpoint) -> None:
    table = "\n".join(page_of(endpoint))
    assert table in PAGE.read_text(encoding="utf-8"), f"docs/gateway.md lacks this table:\n\n{table}"
