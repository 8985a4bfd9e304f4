"""T-SQL scalar expressions, compiled to Python closures. Knows no XML, contract or database."""
