"""SQL Server through pyodbc and Microsoft's ODBC driver, as source and as target. Imported only when asked for."""
