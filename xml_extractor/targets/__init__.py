"""Databases that documents are loaded into. Knows no XML."""
