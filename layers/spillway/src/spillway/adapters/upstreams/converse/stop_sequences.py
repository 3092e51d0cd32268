"""Ending an answer at a stop sequence in here, for models that take none."""

from collections.abc import Sequence


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
        keep = self._beginnings(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """Return what is still held back, once nothing more can come."""
        held, self._held = self._held, ""
        return held

    def _beginnings(self, text: str) -> int:
        """Return the length of the longest end of a text that a sequence begins with."""
        longest = min(len(text), max(map(len, self._sequences), default=1) - 1)
        for length in range(longest, 0, -1):
            if any(each.startswith(text[-length:]) for each in self._sequences):
                return length
        return 0
