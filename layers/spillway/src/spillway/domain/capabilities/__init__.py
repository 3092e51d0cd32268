"""What a target can be asked for, what a request demands of one, and what a refusal tells."""
