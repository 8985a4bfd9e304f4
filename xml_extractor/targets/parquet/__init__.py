"""Parquet: a directory with a dataset for each table, and the processing log in a database beside it."""
