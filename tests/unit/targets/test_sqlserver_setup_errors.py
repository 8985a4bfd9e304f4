"""What is wrong with driver, data source or ticket is said; what the server says is left to others."""

import pytest

from xml_extractor.targets.interfaces import Blame
from xml_extractor.targets.sqlserver.setup_errors import explain_setup

MANAGER = "[unixODBC][Driver Manager]"
DRIVER = "[Microsoft][ODBC Driver 18 for SQL Server]"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (f"[IM002] {MANAGER}Data source name not found and no default driver specified (0)", "no_data_source"),
        (f"[01000] {MANAGER}Can't open lib 'hunter2' : file not found (0)", "no_driver"),
        ("[IM003] [Microsoft][ODBC Driver Manager] Specified driver could not be loaded (126)", "no_driver"),
        (f"[HY000] {DRIVER}SSPI Provider: No Kerberos credentials available (458752)", "no_ticket"),
        (f"[08001] {DRIVER}Invalid value specified for connection string attribute 'ENCRYPT' (0)", "wrong_address"),
    ],
)
def test_faults_of_this_machine_are_told_apart(message: str, code: str) -> None:
    found = explain_setup(f"{message} (SQLDriverConnect)")
    assert found is not None
    assert (found.blame, found.code) == (Blame.DATABASE, code)
    assert found.tip
    assert "hunter2" not in found.explanation + found.tip


@pytest.mark.parametrize(
    "message",
    [
        f"[28000] {DRIVER}[SQL Server]Login failed for user 'SSPI Provider'. (18456) (SQLDriverConnect)",
        f"[23000] {DRIVER}[SQL Server]The duplicate key value is (Can't open lib). (2627) (SQLExecute)",
        f"[HY000] {DRIVER}Kerberos (0) (SQLExecDirectW)",
        "",
    ],
)
def test_what_may_quote_values_is_not_looked_at(message: str) -> None:
    assert explain_setup(message) is None
