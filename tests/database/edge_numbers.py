"""Numbers, bits and bytes at the edges of their types."""

from tests.database.edges import (
    NOT_A_NUMBER,
    NOT_BINARY,
    OVERFLOW,
    TOO_LONG,
    TOO_MANY_DECIMALS,
    Refused,
    edge,
)

NOT_A_BOOLEAN = Refused("not_a_boolean")
NINES = "9" * 38
MEGABYTES = 5 * 2**20

WHOLE_NUMBERS = {
    "bit": edge(
        "bit",
        [
            ("1", "1"),
            ("0", "0"),
            ("true", "1"),
            (" FALSE\n", "0"),
            ("2", NOT_A_BOOLEAN),
            ("-1", NOT_A_BOOLEAN),
            ("yes", NOT_A_BOOLEAN),
        ],
    ),
    "tinyint": edge(
        "tinyint",
        [
            ("0", "0"),
            ("-0", "0"),
            ("255", "255"),
            ("+007", "7"),
            ("256", OVERFLOW),
            ("-1", OVERFLOW),
            ("1.0", NOT_A_NUMBER),
            ("1e1", NOT_A_NUMBER),
            ("0x10", NOT_A_NUMBER),
            ("1 2", NOT_A_NUMBER),
            ("\u0663", NOT_A_NUMBER),
        ],
    ),
    "smallint": edge("smallint", [("-32768", "-32768"), ("32767", "32767"), ("-32769", OVERFLOW), ("32768", OVERFLOW)]),
    "int": edge(
        "int",
        [
            ("-2147483648", "-2147483648"),
            ("2147483647", "2147483647"),
            ("-2147483649", OVERFLOW),
            ("2147483648", OVERFLOW),
            (f"{'0' * 40}1", "1"),
            ("1,000", NOT_A_NUMBER),
        ],
    ),
    "bigint": edge(
        "bigint",
        [
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775807", "9223372036854775807"),
            ("9007199254740993", "9007199254740993"),
            ("-9223372036854775809", OVERFLOW),
            ("9223372036854775808", OVERFLOW),
            (NINES, OVERFLOW),
        ],
    ),
}

DECIMALS = {
    "decimal_1": edge("decimal(1,0)", [("9", "9"), ("-9", "-9"), ("10", OVERFLOW), ("0.5", TOO_MANY_DECIMALS)]),
    "decimal_5_2": edge(
        "decimal(5,2)",
        [
            ("999.99", "999.99"),
            ("-999.99", "-999.99"),
            ("999.99000", "999.99"),
            ("1000.00", OVERFLOW),
            ("-1000", OVERFLOW),
            ("999.991", TOO_MANY_DECIMALS),
            ("0.005", TOO_MANY_DECIMALS),
            ("999.999", TOO_MANY_DECIMALS),
            ("0", "0.00"),
            ("-0", "0.00"),
            ("-0.000", "0.00"),
            (".5", "0.50"),
            ("5.", "5.00"),
            ("1e2", NOT_A_NUMBER),
            ("NaN", NOT_A_NUMBER),
            ("1_0", NOT_A_NUMBER),
            ("$5", NOT_A_NUMBER),
        ],
    ),
    "decimal_default": edge("decimal", [("9" * 18, "9" * 18), ("1" + "0" * 18, OVERFLOW), ("1.5", TOO_MANY_DECIMALS)]),
    "numeric_9_4": edge("numeric(9,4)", [("-99999.9999", "-99999.9999"), ("0.0001", "0.0001"), ("100000", OVERFLOW)]),
    "decimal_15_2": edge(
        "decimal(15,2)", [("9999999999999.99", "9999999999999.99"), ("0.29", "0.29"), ("4503599627370.49",) * 2]
    ),
    "decimal_16_2": edge("decimal(16,2)", [("99999999999999.99", "99999999999999.99"), ("0.10", "0.10")]),
    "decimal_28_9": edge("decimal(28,9)", [("1234567890123456789.123456789",) * 2]),
    "decimal_29_9": edge("decimal(29,9)", [("12345678901234567891.123456789",) * 2]),
    "decimal_38": edge("decimal(38,0)", [(NINES, NINES), (f"-{NINES}", f"-{NINES}"), ("1" + "0" * 38, OVERFLOW)]),
    "decimal_38_10": edge(
        "decimal(38,10)",
        [
            (f"{'9' * 28}.{'9' * 10}",) * 2,
            (f"-{'9' * 28}.{'9' * 10}",) * 2,
            ("0.0000000001", "0.0000000001"),
            ("-0.0000000001", "-0.0000000001"),
            ("-0.0000000000", "0.0000000000"),
            ("1", "1.0000000000"),
            (f"1{'0' * 27}", f"1{'0' * 27}.0000000000"),
            (f"1{'0' * 28}", OVERFLOW),
            ("0.00000000001", TOO_MANY_DECIMALS),
            (f"{'9' * 28}.{'9' * 11}", TOO_MANY_DECIMALS),
        ],
    ),
    "decimal_38_38": edge(
        "decimal(38,38)",
        [
            (f"0.{NINES}", f"0.{NINES}"),
            (f"-0.{'0' * 37}1",) * 2,
            (f".{'1234567890' * 3}12345678", f"0.{'1234567890' * 3}12345678"),
            ("1", OVERFLOW),
            (f"0.{NINES}9", TOO_MANY_DECIMALS),
        ],
    ),
    "money": edge(
        "money",
        [
            ("922337203685477.5807",) * 2,
            ("-922337203685477.5808",) * 2,
            ("922337203685477.5808", OVERFLOW),
            ("-922337203685477.5809", OVERFLOW),
            ("-0.0001", "-0.0001"),
            ("0.00001", TOO_MANY_DECIMALS),
            ("5", "5.0000"),
        ],
    ),
    "smallmoney": edge(
        "smallmoney",
        [
            ("214748.3647", "214748.3647"),
            ("-214748.3648", "-214748.3648"),
            ("214748.3648", OVERFLOW),
            ("-214748.3649", OVERFLOW),
        ],
    ),
}

FLOATS = {
    "float": edge(
        "float",
        [
            ("1.7976931348623157e308", "1.7976931348623157e308"),
            ("-1.7976931348623157E+308", "-1.7976931348623157e308"),
            ("1.7976931348623159e308", OVERFLOW),
            ("2.2250738585072014e-308", "2.2250738585072014e-308"),
            ("2.225073858507201e-308", OVERFLOW),
            ("-5e-324", OVERFLOW),
            ("1e-400", OVERFLOW),
            ("0.30000000000000004", "0.30000000000000004"),
            ("0.1", "0.1"),
            ("9007199254740993", "9007199254740992"),
            ("-0", "0"),
            ("-0.0e5", "0"),
            ("NaN", NOT_A_NUMBER),
            ("INF", NOT_A_NUMBER),
            ("0x1p3", NOT_A_NUMBER),
        ],
    ),
    "float_53": edge("float(53)", [("3.141592653589793", "3.141592653589793")]),
    "float_24": edge("float(24)", [("16777217", "16777216"), ("0.5", "0.5")]),
    "real": edge(
        "real",
        [
            ("3.4028234663852886e38", "3.4028234663852886e38"),
            ("-3.40282346e38", "-3.4028234663852886e38"),
            ("3.4028236e38", OVERFLOW),
            ("1.17549435e-38", "1.1754943508222875e-38"),
            ("1.1754942e-38", OVERFLOW),
            ("0.1", "0.10000000149011612"),
            ("-0", "0"),
        ],
    ),
}

BYTES = {
    "binary_4": edge(
        "binary(4)",
        [
            ("00010203", "00010203"),
            ("0xFFfe", "fffe0000"),
            ("0x", "00000000"),
            ("0001020304", TOO_LONG),
            ("0x000", NOT_BINARY),
            ("0xzz", NOT_BINARY),
            ("00 01", NOT_BINARY),
        ],
    ),
    "varbinary_8": edge(
        "varbinary(8)",
        [
            ("00", "00"),
            ("0x", ""),
            ("2000", "2000"),
            ("ffffffffffffff00", "ffffffffffffff00"),
            ("ffffffffffffff0000", TOO_LONG),
        ],
    ),
    "varbinary_8000": edge("varbinary(8000)", [("ab" * 8000, "ab" * 8000), ("ab" * 8001, TOO_LONG)]),
    "varbinary_max": edge(
        "varbinary(max)", [("0x", ""), ("00", "00"), *[("00ff" * (n // 2) + "7f" * (n % 2),) * 2 for n in (8000, 8001)]]
    ),
    "base64": edge(
        "varbinary(max)",
        [
            ("AP8=", "00ff"),
            ("A P\n8 =", "00ff"),
            ("AP8", NOT_BINARY),
            ("AP8=AP8=", NOT_BINARY),
            ("AAEC" * (MEGABYTES // 3), "000102" * (MEGABYTES // 3)),
        ],
        encoding="base64",
    ),
    "image": edge("image", [("89504e47", "89504e47"), ("0x", ""), ("01" * 8001, "01" * 8001)]),
}
