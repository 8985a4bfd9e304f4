"""SQLite: a file as source and as target, without server or driver."""
