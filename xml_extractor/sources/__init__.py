"""Where documents come from. Knows no XML."""
