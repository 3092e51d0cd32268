"""The inference servers that a fleet's instances can run: a module each, and the registry of their names."""
