"""Measures runs of the nightly command in a scratch database, and compares the figures with stored ones."""
