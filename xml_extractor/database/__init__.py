"""Sources and targets. Knows no XML."""
