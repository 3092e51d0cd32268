"""Benchmarks of deployments: what is asked for, what load workers bring back, and what follows from it."""
