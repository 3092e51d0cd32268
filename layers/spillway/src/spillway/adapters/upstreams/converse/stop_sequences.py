"""Ending an answer at a stop sequence in here, for models that take none."""

from collections.abc import Sequence

from spillway.adapters.upstreams.held_back import begun_length


class StopCutter:
    """Passes a text on piece by piece, up to the sequence that is complete first, wherever the text is split.

    What may be the beginning of one is held back until it is known: at most one character less than the longest.
    ``done`` once a sequence was found.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = sequences
        self._held = ""
        self.done = False

    def cut(self, piece: str) -> str:
        """Return what may be passed on with the next piece."""
        if self.done:
            return ""
        text = self._held + piece
        found = [(place + len(each), place) for each in self._sequences if (place := text.find(each)) >= 0]
        if found:
            self.done, self._held = True, ""
            return text[: min(found)[1]]
        keep = begun_length(text, self._sequences)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """Return what is still held back, once nothing more can come."""
        held, self._held = self._held, ""
        return held
