"""Contracts: their model, how they are read and checked, and the tables they declare."""
