"""What the baseline and the benchmarks share: figures and their ratios, and tables."""
