"""The values of a run that contracts can use, and their types."""

from typing import Literal

from xml_extractor.values.sqltypes import SqlType, parse_type

RunValue = Literal[
    "document_key",
    "source_key",
    "source_file",
    "record_number",
    "run_id",
    "load_time",
    "contract",
    "contract_version",
    "source_name",
]
"""Values of the run; their types are in `RUN_VALUE_TYPES`."""

RUN_VALUE_TYPES: dict[RunValue, SqlType] = {
    "document_key": parse_type("nvarchar(300)"),
    "source_key": parse_type("nvarchar(300)"),
    "source_file": parse_type("nvarchar(300)"),
    "record_number": parse_type("int"),
    "run_id": parse_type("varchar(32)"),
    "load_time": parse_type("datetime2(3)"),
    "contract": parse_type("nvarchar(100)"),
    "contract_version": parse_type("int"),
    "source_name": parse_type("nvarchar(400)"),
}
"""The default types of the values of the run. `document_key` has the `key_type` of a contract with a key."""
