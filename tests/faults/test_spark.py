"""A sample of `python -m tests.faults.spark`: two executors, of which one is killed."""

from pathlib import Path

import pytest

from tests.faults.spark import Spark, check, counts_of, is_there, sample_source

pytestmark = [
    pytest.mark.skipif(not is_there(), reason="the extra `spark` or Java is not installed"),
    pytest.mark.slow,
]


def test_executors_load_what_one_machine_loads_also_if_one_of_them_is_killed(tmp_path: Path) -> None:
    spark = Spark(tmp_path, "card_application", sample_source(tmp_path, 300), executors=2)
    alone, together = spark.new_target(), spark.new_target()
    without = spark.load(alone, spark=False)
    ended = spark.load(together, disturb="executor")
    assert check(spark, spark.hashes(alone), together, ended, counts_of(without), "executor") == "", ended.output[
        -3000:
    ]
    assert ended.code == 1, "some of the documents are rejected"
