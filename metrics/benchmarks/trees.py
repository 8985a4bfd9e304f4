"""`python -m metrics.benchmarks.trees`: CPU of a row of trees, keys and references, in small and large documents."""

import gc
import sys
import time
from collections.abc import Callable
from functools import partial

from lxml import etree
from lxml.etree import _Element as Element

from metrics.benchmarks import inputs
from metrics.benchmarks.command import Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from metrics.measurements.figures import alternately
from xml_extractor.contract.reading import check_text
from xml_extractor.mapping import Plan, compile_plan, map_document

WIDTH = 3
DEPTH = 5_000
SMALLER = 10
"""How many times as many rows the large documents have."""

CONTRACT = """
contract: trees
version: 1
document: {{root: Doc}}
keys: {{part: {{match: Part, use: "@id"}}}}
tables:
  part:
    rows: "{rows}"
    {recursive}
    columns:
      part_id: {{derived: true, type: bigint, key: true}}
      name: {{path: "@id", type: varchar(10)}}
      {column}
"""
WITHIN = "within_id: {parent: part.part_id}"

MicroSeconds = float
MakeDocument = Callable[[int], Element]


def benchmark(options: Options) -> Record:
    """Measure the processor time of this process for a row; `documents` is the number of rows of a large document."""
    large, small = options.documents, max(options.documents // SMALLER, 1)
    cases: dict[str, tuple[Plan, MakeDocument]] = {
        f"tree, {WIDTH} wide": (_plan("Part", "recursive: Part", WITHIN), _tree),
        f"chains by key(), {DEPTH:,} deep": (_plan("Part[@top]", "recursive: key('part', @next)", WITHIN), _chains),
        "key() in a column": (_plan("Part", "", "next: {path: \"key('part', @next)/@id\", type: varchar(10)}"), _list),
        "reference": (_plan("Part", "", "next: {reference: part.part_id, at: \"key('part', @next)\"}"), _list),
    }
    measures: dict[str, Callable[[], float]] = {}
    for name, (plan, document) in cases.items():
        for rows in (small, large):
            measures[f"{name}: {rows:,} rows"] = partial(_per_row, plan, document(rows), rows)
    taken = alternately(measures, options.rounds)
    record = Record("trees", options.command, [], {"rows": large, "rows_of_small_documents": small})
    record.group("CPU of a row", "µs", taken)
    for name in cases:
        many, few = (taken[f"{name}: {rows:,} rows"] for rows in (large, small))
        record.ratio(f"{name}: {large:,} rows / {small:,} rows", many, few, Limit(at_most=2))
    record.note(
        "One document; parsing is not measured. Each row has a derived key; in trees, its container's as well.",
        f"A cost that grows with the square of the rows has the ratio {SMALLER}. Above 1 are effects of memory.",
    )
    return record


def _plan(rows: str, recursive: str, column: str) -> Plan:
    contract, faults = check_text("trees.yaml", CONTRACT.format(rows=rows, recursive=recursive, column=column))
    if contract is None:
        raise ValueError(faults)
    return compile_plan(contract)


def _tree(rows: int) -> Element:
    root = etree.Element("Doc")
    elements = [root]
    for number in range(rows):
        elements.append(etree.SubElement(elements[number // WIDTH], "Part", id=str(number)))
    return root


def _chains(rows: int) -> Element:
    root = etree.Element("Doc")
    for number in range(rows):
        part = etree.SubElement(root, "Part", id=str(number))
        if number % DEPTH == 0:
            part.set("top", "1")
        if number % DEPTH < DEPTH - 1:
            part.set("next", str(number + 1))
    return root


def _list(rows: int) -> Element:
    """Make parts that refer forwards and backwards."""
    root = etree.Element("Doc")
    for number in range(rows):
        etree.SubElement(root, "Part", id=str(number), next=str((number * 7919 + 1) % rows))
    return root


def _per_row(plan: Plan, root: Element, rows: int) -> MicroSeconds:
    gc.collect()
    began_at = time.process_time()
    (found,) = map_document(plan, root, 0, inputs.RUN)
    taken = time.process_time() - began_at
    if len(found) != rows:
        raise ValueError(f"{len(found)} rows instead of {rows}")
    return taken * 1_000_000 / rows


def main() -> int:
    """Measure as the command line says."""
    usual, quick = Options(100_000, 5), Options(200, 2, quick=True)
    return run_benchmark(benchmark, description=__doc__ or "", usual=usual, quick=quick)


if __name__ == "__main__":
    sys.exit(main())
