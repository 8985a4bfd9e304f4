"""SQL Server's scalar types, and how text of a document becomes their values. Knows no XML, contract or database."""
