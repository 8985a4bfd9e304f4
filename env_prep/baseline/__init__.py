"""Measures runs of the nightly command in a scratch place, keeps the figures, and compares later ones with them."""
