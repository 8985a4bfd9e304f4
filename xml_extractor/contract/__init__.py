"""What a contract is, how it is read, and what is wrong with it."""
