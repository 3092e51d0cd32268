"""How items and attributes of the ``loads`` table are named; light, because the gateway names them too.

``<deployment>#traffic#<block>`` has what the gateway counted, an attribute a counter and minute; by
``<deployment>#engines#<block>`` each instance tells of its engine, under its own id. A block is five minutes, numbered
since the epoch: so short that an item is written for one unit, and so long that a look reads two.
"""

BLOCK_MINUTES = 5
# Looked at for a quarter of an hour at most; longer than that only for whoever looks at the table.
LOADS_KEPT_SECONDS = 24 * 3600


def block_of(minute: int) -> int:
    """Return the block that a minute (since the epoch) lies in."""
    return minute // BLOCK_MINUTES


def traffic_id(deployment: str, block: int) -> str:
    """Return the id of what a deployment was asked in a block."""
    return f"{deployment}#traffic#{block}"


def engines_id(deployment: str, block: int) -> str:
    """Return the id of what a deployment's engines said of themselves in a block; the boot script has it too."""
    return f"{deployment}#engines#{block}"


def counter(name: str, minute: int) -> str:
    """Return the attribute that a counter of a minute stands under."""
    return f"{name}_{minute % BLOCK_MINUTES}"
