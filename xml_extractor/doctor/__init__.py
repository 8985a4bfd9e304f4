"""Checks of this machine and its databases before a run."""
