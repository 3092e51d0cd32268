"""Loads from where gateway and instances leave them, whichever release made the instances."""

from collections.abc import Mapping, Set
from datetime import datetime
from typing import Protocol

from spillway.domain.observations.signals import Signal
from spillway.domain.observations.traffic import Load
from spillway.ports import LoadReader


class Engines(Protocol):
    """Where engines told before the table was there."""

    def add(self, loads: Mapping[str, Load], now: datetime) -> Mapping[str, Load]:
        """Return the loads with what is known of their engines."""
        ...


class Loads:
    """Implements the ``LoadReader`` port."""

    def __init__(self, table: LoadReader, engines: Engines) -> None:
        self._table = table
        self._engines = engines

    def read(self, wanted: Mapping[str, Set[Signal]], since: datetime, now: datetime) -> Mapping[str, Load]:
        """Read the table, and ask elsewhere only for engines that said nothing there."""
        loads = self._table.read(wanted, since, now)
        silent = {name: load for name, load in loads.items() if Signal.ENGINES in wanted[name] and load.running is None}
        return {**loads, **(self._engines.add(silent, now) if silent else {})}
