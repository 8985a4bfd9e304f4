"""What SQL Server's errors mean for a load: the document's fault, the moment's, or the database's."""

from dataclasses import replace

import pytest

from tests.database.demo_tables import LINES, ORDERS
from xml_extractor.connections import ErrorClass

pyodbc = pytest.importorskip("pyodbc", reason="pyodbc cannot be loaded: unixODBC is missing", exc_type=ImportError)
errors = pytest.importorskip("xml_extractor.targets.sqlserver.errors", exc_type=ImportError)

DRIVER = "[Microsoft][ODBC Driver 18 for SQL Server]"


def refused(state: str, number: int, text: str = "", *, then: str = "") -> Exception:
    """An error as pyodbc raises it."""
    message = f"[{state}] {DRIVER}[SQL Server]{text} ({number}) (SQLExecute){then}"
    error: Exception = pyodbc.Error(state, message)
    return error


PRIMARY = (
    "Violation of PRIMARY KEY constraint 'pk_demo_orders'. Cannot insert duplicate key in object 'dbo.demo_orders'. "
    "The duplicate key value is (4711)."
)
UNIQUE = PRIMARY.replace("PRIMARY KEY", "UNIQUE KEY")
INDEX = (
    "Cannot insert duplicate key row in object 'dbo.demo_orders' with unique index 'ux'. "
    "The duplicate key value is (4711)."
)
NOT_NULL = (
    "Cannot insert the value NULL into column 'article', table 'load.dbo.demo_lines'; column does not allow nulls."
)
FOREIGN = (
    'The INSERT statement conflicted with the FOREIGN KEY constraint "fk_demo_lines_demo_orders". '
    'The conflict occurred in database "load", table "dbo.demo_orders", column \'order_id\'.'
)
CHECK = (
    'The INSERT statement conflicted with the CHECK constraint "ck". The conflict occurred in table "dbo.demo_lines".'
)
TOO_LONG = (
    "String or binary data would be truncated in table 'load.dbo.demo_lines', column 'article'. "
    "Truncated value: '4711'."
)
ENDED = f"; [01000] {DRIVER}[SQL Server]The statement has been terminated. (3621)"


@pytest.mark.parametrize(
    ("state", "number", "text", "code", "column"),
    [
        pytest.param("23000", 2627, PRIMARY, "duplicate_key", "order_id", id="primary key"),
        pytest.param("23000", 2627, UNIQUE, "duplicate_key", "", id="another unique key"),
        pytest.param("23000", 2601, INDEX, "duplicate_key", "", id="unique index"),
        pytest.param("23000", 515, NOT_NULL, "missing_value", "article", id="NULL"),
        pytest.param("23000", 547, FOREIGN, "missing_parent", "", id="foreign key"),
        pytest.param("23000", 547, CHECK, "check_failed", "", id="check"),
        pytest.param("22001", 2628, TOO_LONG, "too_long", "article", id="truncation that names the column"),
        pytest.param("22001", 8152, "String or binary data would be truncated.", "too_long", "", id="truncation"),
        pytest.param("22003", 8115, "Arithmetic overflow error.", "overflow", "", id="overflow"),
        pytest.param("22003", 234, "There is insufficient result space.", "overflow", "", id="money as text"),
        pytest.param("22007", 517, "Adding a value caused an overflow.", "wrong_type", "", id="date overflow"),
        pytest.param("22012", 8134, "Divide by zero error encountered.", "constraint", "", id="computed column"),
        pytest.param("42000", 537, "Invalid length parameter passed to LEFT.", "constraint", "", id="computed text"),
        pytest.param("22018", 245, "Conversion failed when converting '4711'.", "wrong_type", "", id="conversion"),
        pytest.param("42000", 9455, "XML parsing: line 1, illegal qualified name", "wrong_type", "", id="XML"),
        pytest.param("42000", 6335, "XML datatype instance has too many levels", "wrong_type", "", id="nesting of XML"),
        pytest.param("42000", 6359, "Parsing XML with internal subset DTDs", "wrong_type", "", id="DOCTYPE of XML"),
        pytest.param("42000", 6926, "XML Validation: Invalid simple type value", "wrong_type", "", id="schema of XML"),
        pytest.param("42000", 50001, "Amount 4711 is not allowed", "constraint", "", id="a trigger's own error"),
        pytest.param("42000", 3609, "The transaction ended in the trigger.", "constraint", "", id="trigger"),
        pytest.param("22003", 0, "Numeric value out of range", "overflow", "", id="refused by the driver"),
        pytest.param("23000", 1, "a constraint without a number we know", "constraint", "", id="other constraint"),
    ],
)
def test_what_a_document_is_to_blame_for_rejects_it_without_its_values(
    state: str, number: int, text: str, code: str, column: str
) -> None:
    classified = errors.classify(refused(state, number, text, then=ENDED), ORDERS)
    assert (classified.error_class, classified.code, classified.column) == (ErrorClass.DATA, code, column)
    assert "4711" not in repr(classified)


def test_a_duplicate_of_a_key_of_several_columns_blames_none_of_them() -> None:
    classified = errors.classify(refused("23000", 2627, PRIMARY), LINES)
    assert classified.column == ""
    assert errors.classify(refused("23000", 2627, PRIMARY), replace(LINES, key=())).column == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (pyodbc.ProgrammingError("String data, right truncation: length 4711 buffer 8", "HY000"), "too_long"),
        (pyodbc.ProgrammingError("Converting decimal loses precision", "HY000"), "overflow"),
        (pyodbc.ProgrammingError("Numeric overflow", "HY000"), "overflow"),
        (OverflowError("int too big to convert"), "overflow"),
        (UnicodeEncodeError("utf-16-le", "4711\ud800", 4, 5, "surrogates not allowed"), "wrong_type"),
    ],
    ids=ascii,
)
def test_a_value_that_cannot_even_be_sent_rejects_its_document(error: Exception, code: str) -> None:
    classified = errors.classify(error)
    assert (classified.error_class, classified.code) == (ErrorClass.DATA, code)
    assert "4711" not in repr(classified)


def test_a_transaction_that_the_server_has_ended_is_tried_again() -> None:
    assert (
        errors.classify(refused("42000", errors.TRANSACTION_ENDED, "the transaction has ended")).error_class
        is ErrorClass.TRANSIENT
    )


def test_a_message_that_hides_an_error_ends_the_run_and_names_its_cause() -> None:
    classified = errors.classify(refused("01000", 0, "row 4711 was inserted"))
    assert classified.error_class is ErrorClass.FATAL
    assert "PRINT" in classified.tip
    assert "4711" not in repr(classified)


@pytest.mark.parametrize("number", [1205, 1222, 40197, 40501, 40613, 49918, 49919, 49920, 10928, 10929, 4060, 701, 596])
def test_what_may_pass_is_tried_again(number: int) -> None:
    assert errors.classify(refused("42000", number)).error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize(
    "number",
    [976, 35250, 17187, 17197, 952, 927, 942, 945, 924, 923, 983, 988, 991, 615, 4221, 18401, 42108, 1221, 601, 8628],
)
def test_a_database_that_fails_over_starts_or_stops_is_tried_again(number: int) -> None:
    assert errors.classify(refused("42000", number)).error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize(
    "message",
    [
        "TCP Provider: Error code 0x68 (104)",
        "TCP Provider: An existing connection was forcibly closed by the remote host. (10054)",
        "Named Pipes Provider: No process is on the other end of the pipe. (233)",
        "Protocol error in TDS stream (0)",
        "Communication link failure (64)",
    ],
)
@pytest.mark.parametrize("state", ["HY000", "01000", "01002", "IMC06"])
def test_an_error_of_the_network_is_a_lost_connection(state: str, message: str) -> None:
    text = f"[{state}] [Microsoft][ODBC Driver 18 for SQL Server]{message} (SQLExecute)"
    classified = errors.classify(pyodbc.Error(state, text))
    assert (classified.error_class, classified.code) == (ErrorClass.TRANSIENT, "connection_lost")


@pytest.mark.parametrize("state", ["08S01", "08001", "08003", "08007", "HYT00", "HYT01", "40001"])
def test_lost_connections_and_timeouts_are_tried_again(state: str) -> None:
    error = pyodbc.OperationalError(state, f"[{state}] {DRIVER}TCP Provider: Error code 0x2746 (10054) (SQLExecute)")
    assert errors.classify(error).error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize(
    "number", [208, 207, 229, 230, 262, 916, 9002, 1105, 1101, 1827, 40544, 3906, 911, 18456, 40615, 544, 8106, 271]
)
def test_what_nobodys_document_can_help_ends_the_run_with_something_to_do(number: int) -> None:
    classified = errors.classify(refused("42000", number))
    assert classified.error_class is ErrorClass.FATAL
    assert classified.tip


def test_the_first_error_that_is_known_counts() -> None:
    then = f"; [42000] {DRIVER}[SQL Server]Violation of PRIMARY KEY constraint 'x'. (2627) (SQLExecute)"
    assert (
        errors.classify(refused("42000", 8180, "Statement(s) could not be prepared.", then=then)).code
        == "duplicate_key"
    )


def test_an_error_that_is_not_known_is_called_by_its_numbers_alone() -> None:
    classified = errors.classify(refused("42000", 33333333, "something about 4711"))
    assert classified.error_class is ErrorClass.FATAL
    assert "33333333" in classified.explanation
    assert "4711" not in repr(classified)


@pytest.mark.parametrize("error", [ValueError("x"), OSError(5, "y"), KeyError("z")], ids=repr)
def test_errors_of_others_are_not_explained(error: Exception) -> None:
    assert errors.classify(error) is None


MANAGER = "[unixODBC][Driver Manager]"


SETUP_CODES = {"no_data_source", "no_driver", "no_ticket", "wrong_address", "no_encryption"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (f"[IM002] {MANAGER}Data source name not found and no default driver specified (0)", "no_data_source"),
        (f"[01000] {MANAGER}Can't open lib 'hunter2' : file not found (0)", "no_driver"),
        ("[IM003] [Microsoft][ODBC Driver Manager] Specified driver could not be loaded (126)", "no_driver"),
        (f"[08001] {DRIVER}Encryption not supported on SQL Server. (20)", "no_encryption"),
        (f"[HY000] {DRIVER}SSPI Provider: No Kerberos credentials available (458752)", "no_ticket"),
        (f"[08001] {DRIVER}Invalid value specified for connection string attribute 'ENCRYPT' (0)", "wrong_address"),
    ],
)
def test_faults_of_this_machine_are_told_apart(message: str, code: str) -> None:
    found = errors.classify(pyodbc.Error(message[1:6], f"{message} (SQLDriverConnect)"))
    assert found is not None
    assert (found.error_class, found.code) == (ErrorClass.FATAL, code)
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
    found = errors.classify(pyodbc.Error(message[1:6], message))
    assert found.code not in SETUP_CODES


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Invalid column name 'state'. (207) (SQLExecDirectW)", "error 207: Invalid column name 'state'."),
        (
            "Conversion failed when converting the varchar value 'it's secret' to data type int. (245) (SQLFetch)",
            "error 245: Conversion failed when converting the varchar value … to data type int.",
        ),
        (
            "Invalid object name 'dbo.x'. (208) (SQLPrepare); [42000] [MS][SQL Server]Not prepared. (8180)",
            "error 208: Invalid object name 'dbo.x'.",
        ),
    ],
)
def test_the_text_of_the_server_is_quoted_without_values(message: str, text: str) -> None:
    error = pyodbc.ProgrammingError("42S22", f"[42S22] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]{message}")
    classified = errors.classify(error)
    assert classified is not None
    assert classified.server_text == text


@pytest.mark.parametrize(
    ("number", "text", "explanation"),
    [
        (2601, INDEX, "a row with the same values already exists (unique index ux)"),
        (2627, UNIQUE, "a row with the same values already exists (UNIQUE KEY constraint pk_demo_orders)"),
        (547, CHECK, "(CHECK constraint ck)"),
        (547, FOREIGN, "(FOREIGN KEY constraint fk_demo_lines_demo_orders)"),
        (50007, "4711 is refused", "a trigger of the table rejects the row (error 50007)"),
        (229, "The INSERT permission was denied on the object 'demo_orders', database 'load'.", ": demo_orders"),
        (208, "Invalid object name 'dbo.demo_orders'.", ": dbo.demo_orders"),
        (2714, "There is already an object named 'demo_orders' in the database.", "permission to see: demo_orders"),
        (1088, 'Cannot find the object "dbo.demo_orders" because it does not exist.', ": dbo.demo_orders"),
    ],
)
def test_a_rule_a_trigger_and_a_refused_object_are_named_and_no_value(number: int, text: str, explanation: str) -> None:
    classified = errors.classify(refused("23000", number, text), ORDERS)
    assert classified.explanation.endswith(explanation)
    assert "4711" not in classified.explanation + classified.server_text
