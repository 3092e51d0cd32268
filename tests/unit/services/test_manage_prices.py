"""When the price book in force is read again."""

from datetime import timedelta

import pytest

from spillway.domain.pricing.price_layers import Override, PriceTable, StoredPrices
from spillway.services.manage_prices import FRESH, CurrentPrices
from tests.builders import NOW, a_price_book
from tests.fakes import FakePrices

SECOND = timedelta(seconds=1)


class CountingPrices(FakePrices):
    reads = 0

    def load(self) -> StoredPrices:
        self.reads += 1
        return super().load()


@pytest.mark.parametrize("fresh", [FRESH, timedelta(minutes=10)])
def test_the_book_is_read_again_only_once_it_is_not_fresh_any_more(fresh: timedelta) -> None:
    now, stored = NOW, CountingPrices()
    book = CurrentPrices(a_price_book(), stored, lambda: now, fresh)
    before = book().ec2["g6e.xlarge"].usd_per_hour
    stored.put_overrides([Override(PriceTable.EC2, discount=0.5)], NOW)
    now = NOW + fresh - SECOND
    assert (book().ec2["g6e.xlarge"].usd_per_hour, stored.reads) == (before, 1)
    now = NOW + fresh
    assert (book().ec2["g6e.xlarge"].usd_per_hour, stored.reads) == (before / 2, 2)
