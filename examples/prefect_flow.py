"""Load the orders of the day every night, as a Prefect flow."""

import os

from prefect import flow, get_run_logger, task

import xml_extractor


@task(retries=3, retry_delay_seconds=300)
def load(contract: str, source: str, target: str) -> tuple[str, int, int]:
    """A run that is repeated loads nothing twice, so retries need no care."""
    result = xml_extractor.run(contract, source, target, max_rejects="5%")
    return result.run_id, result.statistics.loaded, result.statistics.rejected


@flow
def load_orders() -> int:
    """Load what is not loaded yet, and return the number of rejected documents."""
    run_id, loaded, rejected = load(
        os.environ["ORDERS_CONTRACT"], os.environ["ORDERS_SOURCE"], os.environ["ORDERS_TARGET"]
    )
    if rejected:
        get_run_logger().warning("Run %s: %d documents loaded, %d rejected", run_id, loaded, rejected)
    return rejected


if __name__ == "__main__":
    load_orders.serve(name="nightly", cron="30 1 * * *")
