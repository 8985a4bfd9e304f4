"""Benchmarks of the product: each is one command that measures things alternately and records their ratios."""
