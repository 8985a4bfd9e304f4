"""`python -m metrics.benchmarks.map`: CPU of parse and map, compared with lxml parsing the same bytes."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from lxml import etree

from metrics.benchmarks import inputs
from metrics.benchmarks.command import Options, run_benchmark
from metrics.benchmarks.record import Limit, Record
from metrics.measurements.figures import alternately
from xml_extractor.contract.model import Contract
from xml_extractor.mapping import compile_plan, map_document
from xml_extractor.parsing import DocumentParser, parsing_rules
from xml_extractor.processing.processes import rare_collections

UNTIL, WHOLE, LXML = "parse and map", "parse and map, whole document", "lxml.etree.fromstring"
IGNORE, INTERPRETED = "parse and map, ignore", "parse and map, interpreted"

MilliSeconds = float


def benchmark(options: Options) -> Record:
    """Measure the processor time of this process for the same documents in the same order."""
    documents = list(inputs.contents(options.documents))
    measures: dict[str, Callable[[], float]] = {
        UNTIL: partial(_per_document, _processor(inputs.contract()), documents),
        IGNORE: partial(_per_document, _processor(inputs.contract(whole=True, ignore=("BureauReports",))), documents),
        WHOLE: partial(_per_document, _processor(inputs.contract(whole=True)), documents),
        INTERPRETED: partial(_per_document, _processor(inputs.contract(), interpreted=True), documents),
        LXML: partial(_per_document, etree.fromstring, documents),
    }
    with rare_collections():  # as in workers
        for measure in measures.values():
            measure()
        taken = alternately(measures, options.rounds)
    size = sum(map(len, documents))
    record = Record("map", options.command, [], {"documents": len(documents), "mean_bytes": size // len(documents)})
    record.group("CPU of a document", "ms", taken)
    record.ratio(f"{UNTIL} / lxml", taken[UNTIL], taken[LXML], Limit(at_most=0.15))
    record.ratio(f"{WHOLE} / lxml", taken[WHOLE], taken[LXML], Limit(at_most=1.15))
    record.ratio(f"{IGNORE} / lxml", taken[IGNORE], taken[LXML], Limit(at_most=0.35))
    record.ratio(f"{UNTIL} / interpreted", taken[UNTIL], taken[INTERPRETED])
    record.note(
        "Sample documents of the kind card_application, and the contract of that name: twelve tables.",
        "Parse and map stops at the end of the element that read_until names; lxml parses all bytes, and maps nothing.",
        "Ignore reads the whole document without read_until, but the contract ignores the bureau reports.",
        "Interpreted maps without generated code, which else only documents take that are rejected.",
    )
    return record


def _processor(contract: Contract, *, interpreted: bool = False) -> Callable[[bytes], object]:
    parser, plan = DocumentParser(parsing_rules(contract)), compile_plan(contract)
    if interpreted:
        plan = plan._replace(code=None)
    return lambda content: map_document(plan, parser.parse(content), 0, inputs.RUN)


def _per_document(process: Callable[[bytes], object], documents: Sequence[bytes]) -> MilliSeconds:
    began_at = time.process_time()
    for document in documents:
        process(document)
    return (time.process_time() - began_at) * 1000 / len(documents)


def main() -> int:
    """Measure as the command line says."""
    return run_benchmark(benchmark, description=__doc__ or "", usual=Options(400, 15), quick=Options(5, 2, quick=True))


if __name__ == "__main__":
    sys.exit(main())
