"""Who is asked for engines' state: CloudWatch only where the table is silent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from spillway.adapters.observe.loads import Loads
from spillway.domain.observations.signals import Signal
from spillway.domain.observations.traffic import Load, Minute
from tests.builders import NOW
from tests.fakes import FakeLoadReader

BOTH = {Signal.TRAFFIC, Signal.ENGINES}
TOLD = Load((Minute(NOW, 3),), running=2.0, waiting=0.0, kv_cache_use=0.5)
SILENT = Load((Minute(NOW, 3),))


class Engines:
    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def add(self, loads: Mapping[str, Load], now: datetime) -> Mapping[str, Load]:
        self.asked.append(list(loads))
        return {name: replace(load, running=9.0) for name, load in loads.items()}


def test_only_engines_that_said_nothing_in_the_table_are_looked_up_elsewhere() -> None:
    engines = Engines()
    loads = Loads(FakeLoadReader({"new": TOLD, "old": SILENT, "asleep": SILENT}), engines)
    found = loads.read({"new": BOTH, "old": BOTH, "asleep": {Signal.TRAFFIC}}, NOW, NOW)
    assert engines.asked == [["old"]]
    assert found == {"new": TOLD, "old": replace(SILENT, running=9.0), "asleep": SILENT}


def test_where_all_engines_told_nobody_else_is_asked() -> None:
    engines = Engines()
    Loads(FakeLoadReader({"new": TOLD}), engines).read({"new": BOTH}, NOW, NOW)
    assert engines.asked == []
