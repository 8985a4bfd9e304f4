"""The processing log: the outcome of each document."""
