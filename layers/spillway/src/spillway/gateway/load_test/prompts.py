"""Prompts of a wanted length in tokens, without a tokenizer: common words, and what the engine counted of them."""

from random import Random

# Words that are one token, with the space before them, in the vocabularies of today's models.
_TEXT = (
    "the of and to in is that for it as was with on be at by this have from or one had not but what all were when we "
    "there can an your which their said if do will each about how up out them then she many some so these would other "
    "into has more her two like him see time could no make than first been its who now people my made over did down "
    "only way find use may water long little very after words called just where most know"
)
# Three words are about four tokens of English prose; real counts replace this from the first answer on.
_WORDS_PER_TOKEN = 0.75


class Prompts:
    """Every prompt is another, from its first word on: an engine that has cached one's beginning gains nothing."""

    def __init__(self, random: Random, words_per_token: float | None = None) -> None:
        self._random = random
        self._at_first = words_per_token or _WORDS_PER_TOKEN
        self._vocabulary = _TEXT.split()
        self.words = 0
        self.tokens = 0

    def text(self, tokens: int) -> str:
        """Return a prompt of about so many tokens."""
        per_token = self.words / self.tokens if self.tokens else self._at_first
        return " ".join(self._random.choices(self._vocabulary, k=max(1, round(tokens * per_token))))

    def counted(self, text: str, tokens: int) -> None:
        """Take note of what an engine counted."""
        if tokens > 0:
            self.words += text.count(" ") + 1
            self.tokens += tokens
