"""Tables that a contract needs: their DDL, and their comparison with the tables of a database."""
