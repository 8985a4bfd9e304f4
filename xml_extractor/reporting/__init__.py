"""Progress, metrics and the summary of a run."""
