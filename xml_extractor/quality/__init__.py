"""What documents hold and what a contract makes of it, before a load and during one."""
