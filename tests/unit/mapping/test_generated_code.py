"""Generated code gives what the interpreted plan gives, and leaves to it only what may reject a document."""

import ast
from contextlib import suppress
from datetime import datetime
from unittest.mock import patch

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tests.mapped_both_ways import fallbacks, map_both_ways
from tests.unit.mapping.conftest import PlanOf
from xml_extractor.cli.commands import cli
from xml_extractor.contract.reading import check_text
from xml_extractor.documents import RunValues
from xml_extractor.mapping import MappingError, Plan, children, compile_plan, map_document
from xml_extractor.mapping.steps import Values
from xml_extractor.parsing import DocumentParser, ParseError, parsing_rules

RUN = RunValues("run", datetime(2026, 1, 1), "unit tests")  # noqa: DTZ001 - naive UTC

CONTRACT = """
contract: everything
version: 1
namespaces: {m: ["urn:1", "urn:2", ""], y: ["urn:2"]}
keys: {thing: {match: "thing", use: "@id"}}
lookups:
  code: {values: {A: 1, B: 2}, blank: 0, unknown: 9}
  word: {values: {A: one, B: two}, ignore_case: true}
document: {root: r, key: "@id"}
defaults: {blank: "null"}
tables:
  doc:
    rows: "."
    nodes: {last: "thing[last()]", more: more, kids: $more/thing, second: "$kids[2]"}
    columns:
      id: {run: document_key, key: true}
      kept: {path: "@kept", type: nvarchar(9), blank: keep, default: none}
      text: {path: "m:text", type: nvarchar(9), on_invalid: [truncate, "null"], transform: [trim], default: "-"}
      code: {path: "@code", type: tinyint, lookup: code}
      word: {path: "@word", type: char(5), lookup: word, on_invalid: "null"}
      mapped: {path: "@word", type: varchar(9), transform: [upper, {map: {A: " ", B: b}}], default: d}
      total: {path: "thing/@n", select: sum, type: "decimal(9,2)", on_invalid: [round, "null"]}
      names: {path: "thing", each: "concat(@id, '!')", select: join, separator: ",", type: nvarchar(99)}
      newest: {path: "$last/@id", type: varchar(9)}
      things: {path: "count(thing)", type: int}
      more_id: {path: "$more/@id", type: varchar(9), on_invalid: truncate}
      kid: {path: $kids, type: nvarchar(9), on_invalid: truncate}
      kid_a: {path: "$kids/thing/@a", type: varchar(9), on_invalid: truncate}
      second_b: {path: "$second/@b", type: varchar(9), on_invalid: truncate}
      kid_ids: {path: $kids, each: "@id", select: join, separator: ",", type: nvarchar(99), on_invalid: truncate}
      day: {path: "@day", type: date, formats: [iso, "%d.%m.%Y"], on_invalid: default, default: "2000-01-01"}
      half:
        type: "decimal(9,3)"
        inputs: {n: {path: "@n", type: "decimal(9,2)", on_invalid: "null"}, c: {column: code}}
        expression: CASE WHEN n > 5 AND c <> 0 THEN n / c WHEN n IS NULL THEN -1 ELSE n END
  thing:
    rows: [thing, {path: "more/thing"}]
    parent: doc
    distinct: {by: [name], keep: last}
    at_least_one: [name, n]
    columns:
      thing_id: {derived: true, type: bigint, key: true}
      doc_id: {parent: doc.id}
      name: {path: "@id", type: varchar(9)}
      n: {path: "@n", type: "decimal(9,2)", transform: [number], on_invalid: [round, "null"]}
      number: {position: true}
      twin: {reference: thing.thing_id, at: "key('thing', @twin)"}
      above: {path: "current()/../@id", type: varchar(9)}
  child:
    rows: ["thing[@a='A' or @b='b']/thing", {path: "more[@id='A' and (@n='7' or 'b'=@b)]"}, {path: "more/y:note[2]"}]
    columns:
      key: {derived: true, type: bigint, key: true}
      last: {path: "thing[last()]/@id", type: varchar(9), on_invalid: truncate}
      first: {path: "thing[1]", type: nvarchar(9), on_invalid: truncate}
      note: {path: "y:note/y:text/@id", type: varchar(9), on_invalid: truncate}
      several: {path: "thing[@id='A'][1]/@n", type: varchar(9), on_invalid: truncate}
      a: {path: "more/thing/@a", type: varchar(9), on_invalid: truncate}
      b: {path: "more/thing/@b", type: varchar(9), on_invalid: truncate}
      count: {path: "count(thing[@id='A'])", type: int}
  tree:
    rows: tree
    recursive: tree
    columns:
      tree_id: {derived: true, type: bigint, key: true}
      within: {parent: tree.tree_id}
      depth: {inputs: {above: {parent: tree.depth}}, expression: "ISNULL(above, 0) + 1", type: int}
  pair:
    rows: [{path: "thing/@a", set: {kind: A}}, {path: "thing/@b", set: {kind: B}}]
    when: val <> 'no' OR kind = 'B'
    columns:
      doc_id: {parent: doc.id, key: true}
      kind: {set: true, type: char(1), key: true}
      val: {path: ".", type: varchar(9), on_invalid: truncate}
      size: {path: ".", type: int, on_invalid: "null"}
  note:
    parent: thing
    rows: "m:note[normalize-space(.)] | text()"
    columns:
      thing_id: {parent: thing.thing_id, key: true}
      number: {position: true, key: true}
      doc_code: {parent: doc.code}
      content: {path: ".", type: nvarchar(20), on_invalid: truncate}
      owner: {path: "../@id", type: varchar(9)}
"""

NIL = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
VALUES = st.sampled_from(
    [
        *("", " ", "A", "b", "B", "x", "7", "1.5", "1.234", "-3", "$1,234.50", "no", "2024-02-30", "29.02.2024"),
        *("é" * 12, "1" * 30, "a\u00a0", "\u2028", "&#10;A", "A&amp;B", "long text of more than twenty characters"),
    ]
)
ATTRIBUTES = st.lists(
    st.tuples(st.sampled_from(["id", "n", "a", "b", "code", "word", "kept", "day", "twin"]), VALUES),
    max_size=5,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: "".join(f' {name}="{value}"' for name, value in pairs))
TEXTS = VALUES | st.sampled_from(["<!--c-->", "<![CDATA[<A>]]>", "<?p q?>", "\n\t"])
NAMES = st.sampled_from(["thing", "thing", "more", "more", "text", "note", "tree", "x:note", "x:text"])


def element(content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.tuples(NAMES, ATTRIBUTES, st.sampled_from(["", "", "", NIL]), st.lists(content, max_size=5))
    return parts.map(lambda part: f"<{part[0]}{part[1]}{part[2]}>{''.join(part[3])}</{part[0]}>")


DOCUMENTS = st.tuples(ATTRIBUTES, st.lists(st.recursive(TEXTS, element, max_leaves=8), max_size=6)).map(
    lambda parts: f"<r{parts[0]} xmlns:x='urn:2'>{''.join(parts[1])}</r>"
)


def plan_and_parser() -> tuple[Plan, DocumentParser]:
    contract, faults = check_text("contract.yaml", CONTRACT)
    assert contract is not None, faults
    return compile_plan(contract), DocumentParser(parsing_rules(contract))


PLAN, PARSER = plan_and_parser()


@given(DOCUMENTS, st.sampled_from([1, children._MANY]))
@settings(max_examples=120, deadline=None)
def test_generated_code_and_the_interpreted_plan_agree_cell_by_cell(document: str, many: int) -> None:
    with suppress(ParseError, MappingError), patch.object(children, "_MANY", many):
        map_both_ways(PLAN, PARSER.parse(document), "key", RUN)


def test_tolerated_values_and_rows_left_out_stay_in_the_code() -> None:
    document = (
        "<r id='1' word='x' day='?' n='bad'><text>much too long</text><thing id='a' n='x' a='no' b='1234567890'/></r>"
    )
    with fallbacks() as left:
        map_document(PLAN, PARSER.parse(document), "key", RUN)
    assert left == []


def test_what_rejects_a_document_is_explained_by_the_interpreted_plan(plan_of: PlanOf) -> None:
    plan = plan_of("t: {rows: Row, columns: {n: {path: '@n', type: int, required: true}}}")
    for document, code in (
        ("<Doc><Row n='x'/></Doc>", "not_a_number"),
        ("<Doc><Row n='1'/><Row/></Doc>", "missing_value"),
    ):
        with fallbacks() as left, pytest.raises(MappingError) as raised:
            map_document(plan, etree.fromstring(document), "key", RUN)
        assert (raised.value.failure.code, len(left)) == (code, 1)


def test_no_text_of_a_contract_is_parsed_as_code(plan_of: PlanOf) -> None:
    evil = "'\\n\\\"); raise SystemExit  # {0} {text} \\\\"
    plan = plan_of(
        f"""
        rows:
          rows: [{{path: Row, set: {{none: "{evil}"}}}}, {{path: "Row[@é = '}}{{0}}']", set: {{none: "{evil}"}}}}]
          columns:
            document: {{path: "@é", type: int}}
            none: {{set: true, type: nvarchar(99)}}
            get: {{path: "@a", type: nvarchar(99), default: "{evil}"}}
            class: {{path: "@b", type: nvarchar(99), transform: [{{map: {{x: "{evil}"}}}}]}}
            noted:
              type: nvarchar(99)
              inputs: {{text: {{column: class}}}}
              expression: "CONCAT(text, '{{0}}''\\\\')"
        """
    )
    text = evil.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
    root = etree.fromstring("<Doc><Row é='7' b='x'/></Doc>")
    assert map_both_ways(plan, root, "key", RUN) == (((7, text, text, text, text + "{0}'\\"),),)
    assert plan.code is not None
    names = {node.id for node in ast.walk(ast.parse(plan.code.source)) if isinstance(node, ast.Name)}
    assert "SystemExit" not in names


def test_an_expression_may_have_many_branches_and_terms(plan_of: PlanOf) -> None:
    terms = " + ".join(["n"] * 150)
    branches = " ".join(f"WHEN n = {number} OR n = -{number} THEN {number}" for number in range(2, 150))
    plan = plan_of(
        f"""
        t:
          rows: "."
          columns:
            n: {{path: "@n", type: int}}
            sum: {{inputs: {{n: {{column: n}}}}, expression: "{terms}", type: int}}
            case: {{inputs: {{n: {{column: n}}}}, expression: "CASE {branches} ELSE COALESCE(n, 0) END", type: int}}
        """
    )
    assert map_both_ways(plan, etree.fromstring("<Doc n='-149'/>"), "key", RUN) == (((-149, -149 * 150, 149),),)


def test_few_values_of_texts_are_remembered() -> None:
    converted: list[str | None] = []

    def convert(text: str | None) -> int:
        converted.append(text)
        return len(text or "")

    values = Values(convert, [])
    for text in ("a", "a", None, None, "long" * 99, "long" * 99):
        assert values[text] == len(text or "")
    assert converted == ["a", None, "long" * 99, "long" * 99]
    for number in range(5000):
        assert values[str(number)] == len(str(number))
    assert len(values) < 1000


def test_check_prints_the_code_of_a_contract() -> None:
    result = CliRunner().invoke(cli, ["check", "card_application", "--code"])
    assert (result.exit_code, result.stderr) == (0, "")
    functions = [node.name for node in ast.parse(result.stdout).body if isinstance(node, ast.FunctionDef)]
    assert {"rows_of_application", "rows_of_contact", "to_date"} <= set(functions)


def test_children_are_those_of_the_row_although_a_value_before_them_is_tolerated(plan_of: PlanOf) -> None:
    plan = plan_of(
        """
        t:
          rows: Row
          columns:
            ratio:
              type: int
              inputs: {n: {path: "@n", type: int}, parts: {path: count(part), type: int}}
              expression: n + parts
              on_invalid: "null"
            parts: {path: count(part), type: int}
        """
    )
    document = b'<Doc><Row n="x"><part/></Row><Row n="2"/><Row n="x"><part/><part/></Row></Doc>'
    (rows,) = map_both_ways(plan, etree.fromstring(document), "key", RUN)
    assert [row[-2:] for row in rows] == [(None, 1), (2, 0), (None, 2)]


def test_paths_that_begin_alike_share_a_search_also_by_a_name_of_nodes(plan_of: PlanOf) -> None:
    plan = plan_of(
        """
        t:
          rows: Row
          nodes: {item: part/item, tax: "$item/tax[1]"}
          columns:
            id: {path: $item/@id, type: int}
            name: {path: part/item/name, type: nvarchar(9)}
            rate: {path: $tax/rate, type: int}
            notes: {path: $item/note, select: join, separator: "+", type: nvarchar(9)}
            parts: {path: count(part), type: int}
        """
    )
    document = (
        b"<Doc><Row><part><item id='1'><name>a</name><tax><rate>7</rate></tax><tax><rate>8</rate></tax></item></part>"
        b"<part><item id='2'><note>b</note><note>c</note></item></part></Row></Doc>"
    )
    assert map_both_ways(plan, etree.fromstring(document), "key", RUN) == (((1, "a", 7, "b+c", 2),),)
    assert plan.code is not None
    assert plan.code.source.count("'item'") == 1
    assert "(element)" not in plan.code.source
