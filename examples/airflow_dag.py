"""Load the orders of the day every night, as an Airflow DAG."""

import os
from datetime import datetime, timedelta

from airflow.sdk import dag, task

CONTRACT = os.environ["ORDERS_CONTRACT"]
SOURCE = os.environ["ORDERS_SOURCE"]


@dag(schedule="30 1 * * *", start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1)
def load_orders():
    """A run that is repeated loads nothing twice, so retries need no care."""

    @task(retries=3, retry_delay=timedelta(minutes=5))
    def load() -> dict[str, int | str]:
        import xml_extractor  # in the task, so that parsing the DAG stays cheap

        result = xml_extractor.run(CONTRACT, SOURCE, os.environ["ORDERS_TARGET"], max_rejects="5%")
        counts = result.statistics
        return {"run_id": result.run_id, "loaded": counts.loaded, "rejected": counts.rejected}

    @task
    def warn_of_rejects(counts: dict[str, int | str]) -> None:
        if counts["rejected"]:
            print(f"{counts['rejected']} documents are rejected: see processing_log, run {counts['run_id']}")

    warn_of_rejects(load())


load_orders_dag = load_orders()
