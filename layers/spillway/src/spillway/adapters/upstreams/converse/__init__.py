"""Bedrock's Converse API: chat completions in its form, and its answers in theirs."""
