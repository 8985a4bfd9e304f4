"""The tables that a contract needs, compared with those that are there, and their DDL."""
