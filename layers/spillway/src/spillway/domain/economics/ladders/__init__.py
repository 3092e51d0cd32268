"""Ladders: instances of several sizes, of which one size serves at a time."""
