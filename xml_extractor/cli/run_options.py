"""The options of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from xml_extractor.cli.options import (
    CONTRACT_OPTION,
    DOCUMENT_TIMEOUT_OPTION,
    REJECTS_DIR_OPTION,
    SOURCE_OPTIONS,
    START_METHOD_OPTION,
    TARGET_OPTIONS,
    WORKER_OPTIONS,
    added,
    number,
    setting,
    with_addresses,
)
from xml_extractor.cli.parameters import Parsed, WholeNumberOrAuto
from xml_extractor.settings import (
    Engine,
    InsertStrategy,
    KeyRange,
    LogFormat,
    RejectLimit,
    Reprocess,
    Shard,
    ToleranceLimits,
)

RUN_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    CONTRACT_OPTION,
    *SOURCE_OPTIONS,
    *TARGET_OPTIONS,
    *WORKER_OPTIONS,
    number(
        "--limit",
        show_default="none",
        metavar="N",
        help="Process at most N documents.",
    ),
    setting(
        "--range",
        type=Parsed("FIRST:LAST", KeyRange.parse),
        help="Process only documents with keys from FIRST to LAST.",
    ),
    setting(
        "--shard", type=Parsed("K/N", Shard.parse), help="Process only shard K of N equal shards of the documents."
    ),
    number(
        "--min-age",
        default=0,
        metavar="SECONDS",
        help="Leave files that changed in the last SECONDS, which may be incomplete, to the next run.",
    ),
    setting(
        "--reprocess",
        type=click.Choice(get_args(Reprocess)),
        show_default="none",
        help="Reprocess documents of this kind, and replace their rows.",
    ),
    number(
        "--reprocess-version",
        show_default="any",
        metavar="N",
        help="With --reprocess: only documents processed by version N of the contract.",
    ),
    number(
        "--insert-batch-rows",
        default=500,
        metavar="N",
        help="Send at most N rows in one call.",
    ),
    number(
        "--queue-size",
        default=10_000,
        metavar="N",
        help="Queue at most N chunks of documents, or 16 MiB; workers load the chunks that do not fit.",
    ),
    number(
        "--insert-threads",
        kind=WholeNumberOrAuto,
        default="auto",
        help="Number of background insert threads; auto: begins with 1 and adds more while that is faster.",
    ),
    setting(
        "--insert-strategy",
        type=click.Choice(["auto", *get_args(InsertStrategy)]),
        default="auto",
        help="How rows are sent; executemany: one call per table; json: one statement for all tables; auto: measures "
        "both during the run.",
    ),
    setting(
        "--insert-mode",
        type=click.Choice(["queue", "blocking"]),
        default="queue",
        help="Who loads; queue: insert threads, in batches; blocking: each worker, one document at a time.",
    ),
    setting(
        "--max-rejects",
        type=Parsed("N or N%", RejectLimit.parse),
        default="50%",
        help="Stop the run when more than N documents, or N% of them, are rejected; 100%: never.",
    ),
    setting(
        "--max-tolerated",
        type=Parsed("[TABLE.COLUMN=]N or N%", ToleranceLimits.parse),
        show_default="none",
        help="Stop the run when more than N values of a column, or N% of them, are made NULL, defaulted, truncated, "
        "rounded or unknown codes; separate several limits with commas.",
    ),
    setting(
        "--ignore-earlier-rejects",
        is_flag=True,
        help="Exit with 0 if this run rejects no document, even if documents of earlier runs are still rejected.",
    ),
    DOCUMENT_TIMEOUT_OPTION,
    START_METHOD_OPTION,
    setting(
        "--engine",
        type=click.Choice(get_args(Engine)),
        default="processes",
        help="Who maps and loads; processes: worker processes of this machine; spark: executors of Apache Spark.",
    ),
    setting(
        "--master",
        metavar="URL",
        show_default="that of spark-submit, or local[*]",
        help="With --engine spark: the master, such as local[4], spark://HOST:7077, yarn or k8s://HOST.",
    ),
    setting(
        "--log-level",
        type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
        default="WARNING",
        help="Lowest level of log lines on standard error.",
    ),
    setting(
        "--log-format",
        type=click.Choice(get_args(LogFormat)),
        default="text",
        help="Format of log lines; json: one JSON object per line.",
    ),
    setting(
        "--progress/--no-progress",
        default=True,
        help="Show the progress on standard error: a bar on a terminal, elsewhere a line every 30 seconds.",
    ),
    setting(
        "--metrics-dir",
        type=Parsed("DIRECTORY", lambda name: Path(name) if name else None),
        default="metrics",
        may_be_empty=True,
        help="Directory for the metrics file of the run; '' disables it.",
    ),
    setting(
        "--metrics-prom",
        type=Parsed("FILE", Path),
        show_default="none",
        help="File for the figures of the run in the format of Prometheus.",
    ),
    number(
        "--keep-metrics",
        show_default="forever",
        metavar="DAYS",
        help="Delete metrics files of runs that started more than DAYS days ago.",
    ),
    number(
        "--keep-rejects",
        show_default="forever",
        metavar="DAYS",
        help="Delete rejected documents of runs that started more than DAYS days ago.",
    ),
    REJECTS_DIR_OPTION,
    setting(
        "--reject-values/--no-reject-values",
        default=False,
        help="Include rejected values in the list of rejected documents.",
    ),
)


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add all options of a run; see `with_addresses` for the arguments that the command receives."""
    return added(*RUN_OPTIONS)(with_addresses(function))
