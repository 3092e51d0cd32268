"""One answer to a load worker as it comes."""

from collections.abc import Callable

from spillway.domain.engines.registry import named_in
from spillway.gateway.streaming.rewriting import StreamRewriter

_PIECE = b'"delta"'


class Reading:
    """One answer as it comes: when the last piece came, how many there were, and how many within the span."""

    def __init__(self, moment: Callable[[], float], rewriter: StreamRewriter, prompt: str) -> None:
        self._moment = moment
        self.rewriter = rewriter
        self.prompt = prompt
        self.begun = self.last = moment()
        self.began_within = False
        self.pieces = self.pieces_within = 0
        self.engine = ""

    def take(self, block: bytes) -> int:
        """Return the pieces in a block."""
        self.rewriter.rewrite(block)
        self.engine = named_in(block) or self.engine
        pieces = block.count(_PIECE)
        if pieces:
            self.last = self._moment()
            self.pieces += pieces
        return pieces
