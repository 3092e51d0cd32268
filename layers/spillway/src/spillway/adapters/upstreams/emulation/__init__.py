"""What a target lacks and the gateway makes up, in the form of chat completions."""
