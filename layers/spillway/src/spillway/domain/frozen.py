"""The base of Spillway's own payloads."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A payload that nobody changes once it is read, and that has no field beside those that are known."""

    model_config = ConfigDict(frozen=True, extra="forbid")
