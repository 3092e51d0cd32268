"""Every path's profile: a path that is missing here does not pass the type checker."""

from typing import assert_never

from spillway.domain.paths.bedrock import BEDROCK
from spillway.domain.paths.fleet import FLEET
from spillway.domain.paths.imported import IMPORT
from spillway.domain.paths.jumpstart import JUMPSTART
from spillway.domain.paths.path import Path
from spillway.domain.paths.profile import PathProfile


def profile_of(path: Path) -> PathProfile:
    """Return a path's profile."""
    match path:
        case Path.BEDROCK:
            return BEDROCK
        case Path.IMPORT:
            return IMPORT
        case Path.JUMPSTART:
            return JUMPSTART
        case Path.FLEET:
            return FLEET
        case _:
            assert_never(path)
