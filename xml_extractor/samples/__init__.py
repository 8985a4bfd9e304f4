"""Generators of sample documents: invented data, the same for the same seed."""
