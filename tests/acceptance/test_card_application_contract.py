"""The shipped contract for card applications: what it makes of a document, and which documents it refuses."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest

from xml_extractor.contract.layout import layouts
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import read_contract
from xml_extractor.documents import Failure, RunValues, Value
from xml_extractor.mapping import MappingError, Plan, compile_plan, map_document
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules
from xml_extractor.reasons import Stage
from xml_extractor.samples import KINDS, FaultKind, samples

at = datetime.fromisoformat
KIND = KINDS["card_application"]
MAP_FAULTS = [fault for fault in KIND.faults if fault.stage is Stage.MAP]
RUN = RunValues("run", at("2026-01-01"), "test")
LATER_RUN = RunValues("another run", at("2027-12-31T23:59:00"), "elsewhere")
TABLES = [
    *("application", "operational", "pricing", "transactional", "solicitation", "contact", "address", "employment"),
    *("score", "indicator", "history", "report_lookup"),
]
LEAST_COLUMNS = 150
LARGEST_PRECISION = 15

DOCUMENT = """<?xml version="1.0"?>
<CardApplication id="4711" version="4.2" source="intake"><!-- by hand -->
<Application received="03/14/2025 12:05:07 AM" submitted="2025-03-14T00:05:07.250-06:00"
    decided="2025-03-15T00:04:59.500" decision="approve" channel="PIGEON" status="R" language="" branch="BR-0042"
    priority="high" currency="usd" requested="$12,500.00" reference="0c2e7f5e-36c1-4c55-9d0b-8d1f9d3f4a11"
    digest="00112233445566778899aabbccddeeff">
<Product code="gold" network="M" secured="Y" cobrand="ACME-AIR"/>
<Reasons><Reason code="R07"/><Reason code="R11"/></Reasons>
<Remarks>The emoji does not<!-- forty --> fit behind this text🦊</Remarks>
<Pricing tier="b1" index="PRIME" margin="11.490 %" fixed="">
<Rates purchase="19.990" intro=" "/>
<Fees annual="" late="$39.00"/>
<Limits credit="10000.00" cash="3,333.00" graceDays=""/>
<Validity from="20250314" to="03/14/2026"/>
</Pricing>
<Operational queue="Verify" center="Montréal" batch="B0099" override="LIM" overrideReason=""
    opened="2025-03-14T08:59:30.000" closed="2025-03-14T10:00:10.000">
<Verification income="n" identity="" method="TELEPATHY" fraud="R"/><Handling exceptions="" serviceHours="1"/>
</Operational>
<Transactional>
<Transfer amount="" second="1,000.50" account="XXXX4321"/><Payments kind="MIN" automatic=""/>
<Card delivery="EXP" design=""/></Transactional>
<Solicitation campaign=" "/>
<Contact id="47110" role="PR" taxId="000-12-3456" born=""><Name given="Draft" family="Draft"/>
<Address type="CURRENT" line1="Draft"/></Contact>
<Contact id="47111" role="AU" taxId="" born="02/29/2004"><Name given="Łucjana" middle="Q" family="Hütt" suffix="jr"/>
<Email> Person@Example.COM </Email><Phones home="+1 (200) 555-0123" work=" "/><Income amount="1,000.00" basis="weekly"/>
</Contact>
<Contact id="47112" role="SP" born="1980-01-01"><Name given="Left" family="Out"/><Address type="CURRENT"/></Contact>
<Contact id="47110" role="PR" taxId="666 12 3456" born="19850315" citizenship="XJ" residency="p" marital="" consent="">
<Name given=" Renée-Zoë   Ada " family="O&apos;Quibble"/>
<Income amount="$60,000.00" basis="ANNUAL" other=""/><Housing payment="1250.00" kind="RENT"/>
<Address type="Current" line1="P.O. Box 12" city="Żabkowo" state="qx" zip="00012-0034" years="2" verified="Y"/>
<Address type="MAILING" line1="1 Boxwood Box 9" zip="00013" years="" months="3" verified="n"/>
<Employment status="U" employer="" salary=""/>
<Employment status="P" employer="Quill &amp; Thimble" salary="1,200.00" basis="Weekly" from="2020-01-31"
    to="2020-02-01"/>
<Employment status="E" employer="" salary=" "/>
<Employment status="E" employer="Ōkina" salary="100.00" basis="MONTHLY" from="2024-12-31" industry="GOV"/>
</Contact>
<Scores primary="700" ficoTu="N/A" ficoEx="" ficoEq="580" fraud="739"/>
<Indicators fraudAlert="Y" activeDuty="N" vip="y" student=""/>
<History>
<Event at="2025-03-14T00:05:07.250" type="RECEIVED" by="system" from="" to="O"><Note/></Event>
<Event at="03/14/2025 12:30:00 PM" type="NOTED" by="u017" from="O" to="R"><Note>a &lt;b&gt; 🦊</Note></Event>
</History>
<ReportSummary><Bureau code="EQ" open="0" delinquent="2" collections=""/>
<Bureau code="TU" open="7" delinquent="0" collections="1"/></ReportSummary>
</Application>
<BureauReports>nothing of this is read: <unclosed>""".encode()

CELLS: list[tuple[str, object, str, Value]] = [
    ("application", 4711, "source_system", "INTAKE"),
    ("application", 4711, "received_at", at("2025-03-14T00:05:07")),
    ("application", 4711, "submitted_at", at("2025-03-14T00:05:07.250-06:00")),
    ("application", 4711, "submitted_at_utc", at("2025-03-14T06:05:07.250")),
    ("application", 4711, "received_on", date(2025, 3, 14)),
    ("application", 4711, "received_quarter", "2025Q1"),
    ("application", 4711, "minutes_to_decision", 1439),
    ("application", 4711, "decision_id", 50),
    ("application", 4711, "decision_code", "APPROVE"),
    ("application", 4711, "is_final", True),
    ("application", 4711, "reason_count", 2),
    ("application", 4711, "first_reason", "R07"),
    ("application", 4711, "last_reason", "R11"),
    ("application", 4711, "channel_id", 99),
    ("application", 4711, "status_id", 2),
    ("application", 4711, "language", "en"),
    ("application", 4711, "branch_no", 42),
    ("application", 4711, "agent", None),
    ("application", 4711, "priority", 5),
    ("application", 4711, "currency", "USD"),
    ("application", 4711, "requested_amount", Decimal("12500.00")),
    ("application", 4711, "is_test", False),
    ("application", 4711, "reference", "0C2E7F5E-36C1-4C55-9D0B-8D1F9D3F4A11"),
    ("application", 4711, "digest", bytes.fromhex("00112233445566778899aabbccddeeff")),
    ("application", 4711, "network", "Meridian"),
    ("application", 4711, "partner", "AIR"),
    ("application", 4711, "contact_count", 2),
    ("application", 4711, "remarks", "The emoji does not fit behind this text"),
    ("operational", 4711, "queue", "VERIFY"),
    ("operational", 4711, "processing_center", "Montréal"),
    ("operational", 4711, "reviewer", "none"),
    ("operational", 4711, "batch_no", 99),
    ("operational", 4711, "is_override_consistent", False),
    ("operational", 4711, "handling_minutes", 61),
    ("operational", 4711, "is_late", True),
    ("operational", 4711, "income_verified", False),
    ("operational", 4711, "identity_verified", False),
    ("operational", 4711, "verification_id", 99),
    ("operational", 4711, "fraud_result", "REFER"),
    ("operational", 4711, "exception_count", 0),
    ("pricing", 4711, "tier", "B1"),
    ("pricing", 4711, "margin", Decimal("11.490")),
    ("pricing", 4711, "intro_rate", None),
    ("pricing", 4711, "annual_fee", Decimal("0.00")),
    ("pricing", 4711, "late_fee", Decimal("39.00")),
    ("pricing", 4711, "grace_days", 21),
    ("pricing", 4711, "is_fixed", False),
    ("pricing", 4711, "valid_from", date(2025, 3, 14)),
    ("pricing", 4711, "valid_days", 365),
    ("pricing", 4711, "cash_share", Decimal("0.3333")),
    ("pricing", 4711, "monthly_rate", Decimal("1.66583")),
    ("pricing", 4711, "granted_share", Decimal("0.8000")),
    ("transactional", 4711, "total_transfers", Decimal("1000.50")),
    ("transactional", 4711, "transfer_account", "4321"),
    ("transactional", 4711, "payment_kind", "minimum"),
    ("transactional", 4711, "automatic_payment", None),
    ("transactional", 4711, "card_design", "plain"),
    ("transactional", 4711, "is_express", True),
    ("contact", 47110, "first_name", "Renée-Zoë Ada"),
    ("contact", 47110, "full_name", "Renée-Zoë Ada O'Quibble"),
    ("contact", 47110, "is_primary", True),
    ("contact", 47110, "age_when_received", 39),
    ("contact", 47110, "tax_id", "666123456"),
    ("contact", 47110, "tax_id_last4", "3456"),
    ("contact", 47110, "residency", "PERMANENT"),
    ("contact", 47110, "marital_status", None),
    ("contact", 47110, "has_consent", False),
    ("contact", 47110, "monthly_income", Decimal("5000.00")),
    ("contact", 47110, "housing_id", 2),
    ("contact", 47110, "debt_to_income", Decimal("0.2500")),
    ("contact", 47111, "full_name", "Łucjana Q Hütt, JR"),
    ("contact", 47111, "is_primary", False),
    ("contact", 47111, "date_of_birth", date(2004, 2, 29)),
    ("contact", 47111, "age_when_received", 21),
    ("contact", 47111, "tax_id", None),
    ("contact", 47111, "citizenship", "QX"),
    ("contact", 47111, "residency", "UNKNOWN"),
    ("contact", 47111, "email", "person@example.com"),
    ("contact", 47111, "email_domain", "example.com"),
    ("contact", 47111, "home_phone", "2005550123"),
    ("contact", 47111, "work_phone", None),
    ("contact", 47111, "monthly_income", Decimal("4333.33")),
    ("contact", 47111, "debt_to_income", None),
    ("address", (47110, 1), "address_type_id", 1),
    ("address", (47110, 1), "is_po_box", True),
    ("address", (47110, 1), "city", "Żabkowo"),
    ("address", (47110, 1), "state", "QX"),
    ("address", (47110, 1), "zip", "00012"),
    ("address", (47110, 1), "zip_extension", "0034"),
    ("address", (47110, 1), "months_at_address", 24),
    ("address", (47110, 1), "is_verified", True),
    ("address", (47110, 2), "address_type_id", 3),
    ("address", (47110, 2), "is_po_box", False),
    ("address", (47110, 2), "zip_extension", None),
    ("address", (47110, 2), "months_at_address", None),
    ("score", (4711, "PRIMARY"), "band", "GOOD"),
    ("score", (4711, "FICO_EQ"), "bureau", "EQ"),
    ("score", (4711, "FICO_EQ"), "band", "FAIR"),
    ("score", (4711, "FRAUD"), "band", "GOOD"),
    ("report_lookup", (4711, "EQ_DELINQUENT"), "lookup_value", "2"),
    ("report_lookup", (4711, "EQ_DELINQUENT"), "is_adverse", True),
    ("report_lookup", (4711, "EQ_OPEN"), "is_adverse", False),
    ("report_lookup", (4711, "TU_DELINQUENT"), "is_adverse", False),
    ("report_lookup", (4711, "TU_COLLECTIONS"), "is_adverse", True),
]

KEYS: dict[str, set[object]] = {
    "application": {4711},
    "operational": {4711},
    "pricing": {4711},
    "transactional": {4711},
    "solicitation": set(),
    "contact": {47110, 47111},
    "address": {(47110, 1), (47110, 2)},
    "score": {(4711, "PRIMARY"), (4711, "FICO_EQ"), (4711, "FRAUD")},
    "indicator": {(4711, "FRAUD_ALERT"), (4711, "VIP")},
    "report_lookup": {
        *((4711, "TU_OPEN"), (4711, "TU_DELINQUENT"), (4711, "TU_COLLECTIONS")),
        *((4711, "EQ_OPEN"), (4711, "EQ_DELINQUENT")),
    },
}

Row = dict[str, Value]
Rows = dict[str, list[Row]]


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read_contract("card_application")


@pytest.fixture(scope="module")
def plan(contract: Contract) -> Plan:
    return compile_plan(contract)


@pytest.fixture(scope="module")
def parser(contract: Contract) -> DocumentParser:
    return DocumentParser(parsing_rules(contract))


@pytest.fixture(scope="module")
def by_hand(contract: Contract, plan: Plan, parser: DocumentParser) -> Rows:
    return named(contract, map_document(plan, parser.parse(DOCUMENT), 1, RUN))


def named(contract: Contract, rows: tuple[tuple[tuple[Value, ...], ...], ...]) -> Rows:
    return {
        table.name: [dict(zip([column.name for column in table.columns], row, strict=True)) for row in table_rows]
        for table, table_rows in zip(layouts(contract), rows, strict=True)
    }


def by_key(contract: Contract, rows: Rows, table: str) -> dict[object, Row]:
    key = next(layout.key for layout in layouts(contract) if layout.name == table)
    return {row[key[0]] if len(key) == 1 else tuple(row[name] for name in key): row for row in rows[table]}


def good_documents(count: int) -> Iterator[tuple[int, bytes]]:
    return ((sample.key, sample.content or b"") for sample in samples("card_application", count, seed=11))


def failure(plan: Plan, parser: DocumentParser, content: bytes | None) -> Failure | None:
    try:
        map_document(plan, parser.parse(content), 1, RUN)
    except (ParseError, MappingError) as error:
        return error.failure
    return None


def test_the_contract_maps_more_than_150_columns_of_12_tables(contract: Contract) -> None:
    mapped = [
        column
        for table in contract.tables.values()
        for column in table.columns.values()
        if column.path is not None or column.expression is not None
    ]

    assert list(contract.tables) == TABLES
    assert len(mapped) >= LEAST_COLUMNS


def test_numbers_are_exact_where_decimals_are_stored_in_binary(contract: Contract) -> None:
    assert max(column.type.precision for table in layouts(contract) for column in table.columns) <= LARGEST_PRECISION


def test_every_table_but_the_first_refers_to_the_application(contract: Contract) -> None:
    for table in layouts(contract)[1:]:
        assert "application" in [key.table for key in table.foreign_keys]


def test_good_documents_give_rows_in_every_table_and_values_in_every_column(
    contract: Contract, plan: Plan, parser: DocumentParser
) -> None:
    counts: Counter[str] = Counter()
    filled: set[tuple[str, str]] = set()
    for key, content in good_documents(200):
        for table, rows in named(contract, map_document(plan, parser.parse(content), key, RUN)).items():
            counts[table] += len(rows)
            filled |= {(table, name) for row in rows for name, value in row.items() if value is not None}

    assert counts["application"] == counts["operational"] == counts["pricing"] == 200
    assert 0 < counts["solicitation"] < counts["transactional"] < 200 < counts["contact"] < counts["address"]
    assert filled == {(table.name, column.name) for table in layouts(contract) for column in table.columns}


def test_the_rows_depend_on_the_document_only(plan: Plan, parser: DocumentParser) -> None:
    for key, content in good_documents(30):
        rows = map_document(plan, parser.parse(content), key, RUN)
        assert map_document(plan, parser.parse(content), f"{key}.xml", LATER_RUN) == rows


def test_keys_are_unique_over_documents(contract: Contract, plan: Plan, parser: DocumentParser) -> None:
    seen: Counter[tuple[str, tuple[Value, ...]]] = Counter()
    for key, content in good_documents(100):
        rows = named(contract, map_document(plan, parser.parse(content), key, RUN))
        for table in layouts(contract):
            seen.update((table.name, tuple(row[name] for name in table.key)) for row in rows[table.name])

    assert max(seen.values()) == 1


@pytest.mark.parametrize(("table", "key", "column", "value"), CELLS, ids=lambda value: str(value)[:30])
def test_a_cell_is_what_the_document_says(
    contract: Contract, by_hand: Rows, table: str, key: object, column: str, value: Value
) -> None:
    found = by_key(contract, by_hand, table)[key][column]

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("table", KEYS)
def test_rows_are_left_out_and_kept_as_the_contract_says(contract: Contract, by_hand: Rows, table: str) -> None:
    assert set(by_key(contract, by_hand, table)) == KEYS[table]
    assert len(by_hand[table]) == len(KEYS[table])


def test_employments_without_employer_and_salary_are_left_out(by_hand: Rows) -> None:
    employments = [
        (row["employer"], row["status"], row["monthly_salary"], row["months_employed"], row["industry"])
        for row in by_hand["employment"]
    ]

    assert employments == [
        ("Quill & Thimble", "PREVIOUS", Decimal("5200.00"), 1, "N/A"),
        ("Ōkina", "EMPLOYED", Decimal("100.00"), 3, "GOV"),
    ]
    assert {row["contact_id"] for row in by_hand["employment"]} == {47110}


def test_history_keeps_the_order_of_events(by_hand: Rows) -> None:
    events = [tuple(row.values())[2:] for row in by_hand["history"]]

    assert events == [
        (1, at("2025-03-14T00:05:07.250"), 1, "system", True, None, 1, None),
        (2, at("2025-03-14T12:30:00"), 5, "u017", False, 1, 2, "a <b> 🦊"),
    ]
    assert len({row["history_id"] for row in by_hand["history"]}) == 2


@pytest.mark.parametrize("fault", KIND.faults, ids=lambda fault: fault.code)
def test_a_spoilt_document_is_refused_for_the_listed_reason(
    plan: Plan, parser: DocumentParser, fault: FaultKind
) -> None:
    for key in range(1, 21):
        rejected = failure(plan, parser, fault.spoil(KIND.document(key, Random(key))))
        assert rejected is not None
        assert (rejected.stage, rejected.code) == (fault.stage, fault.reason)


@pytest.mark.parametrize("fault", MAP_FAULTS, ids=lambda fault: fault.code)
def test_a_rejection_names_the_path_and_no_value(plan: Plan, parser: DocumentParser, fault: FaultKind) -> None:
    rejected = failure(plan, parser, fault.spoil(KIND.document(7, Random(7))))

    assert rejected is not None
    assert rejected.path
    assert fault.code == "missing_key" or (rejected.table in TABLES and rejected.column)
    for value in ("PERHAPS", "12,345,678,901", "2025-02-30", "70000", "platinum", "three weeks"):
        assert value not in rejected.reason


def test_of_many_documents_exactly_the_listed_ones_are_refused(plan: Plan, parser: DocumentParser) -> None:
    listed = {}
    refused = {}
    for sample in samples("card_application", 400, seed=2, faulty=Fraction(10, 100)):
        if sample.fault is not None and sample.fault.stage is not Stage.LOAD:
            listed[sample.key] = (sample.fault.stage, sample.fault.reason)
        rejected = failure(plan, parser, sample.content)
        if rejected is not None:
            refused[sample.key] = (rejected.stage, rejected.code)

    assert len(listed) > len(KIND.faults)
    assert refused == listed
