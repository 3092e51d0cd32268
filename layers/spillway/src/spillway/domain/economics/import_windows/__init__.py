"""Imported models: copies that a request itself starts, and that are billed in whole windows of minutes."""
