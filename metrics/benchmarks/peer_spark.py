"""A peer: the XML reader of Spark, in one process with all processors, into Parquet files."""

from collections.abc import Iterable
from pathlib import Path

from pyspark.sql import SparkSession

from metrics.benchmarks.peer_own_tables import texts
from xml_extractor.contract.model import Contract

LESS = (
    "Spark: one dataset of Parquet files, of nested structures, whose schema it infers by reading all documents first; "
    "no tables, expressions or checks; no processing log. Its time includes the start of its session. It reads one "
    "file with all documents, without bureau reports."
)


def prepare(_target: Path, _contents: Iterable[bytes]) -> None:
    """Do nothing: Spark infers the schema."""


def fill(source: Path, target: Path, _contract: Contract) -> None:
    """Write the documents of a SQLite file as Parquet."""
    file = target.with_suffix(".xml")
    with file.open("wb") as together:
        together.write(b"<all>")
        for some in texts(source):
            together.writelines(content.partition(b"?>\n")[2] or content for _, content in some)
        together.write(b"</all>")
    session = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        cards = session.read.format("xml").option("rowTag", "CardApplication").load(str(file))
        cards.write.parquet(str(target.with_suffix(".parquet")))
    finally:
        session.stop()
