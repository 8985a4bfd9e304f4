"""A contract compiled to a plan; a plan and an element tree to a mapped document. Knows no database."""
