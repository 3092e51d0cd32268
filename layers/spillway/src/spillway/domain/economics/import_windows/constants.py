"""How Bedrock bills a copy of an imported model: by windows of five minutes (docs/costs.md)."""

MINUTES_PER_WINDOW = 5
WINDOWS_PER_HOUR = 60 // MINUTES_PER_WINDOW
