"""The table of orders as a Dagster asset, loaded every night, with a check for rejected documents."""

import os

import dagster as dg

import xml_extractor

CONTRACT = xml_extractor.read_contract(os.environ["ORDERS_CONTRACT"])


@dg.asset(
    retry_policy=dg.RetryPolicy(max_retries=3, delay=300),
    check_specs=[dg.AssetCheckSpec("no_rejects", asset="customer_order")],
    metadata={
        "columns": dg.TableSchema(
            columns=[dg.TableColumn(name, kind) for name, kind in CONTRACT.tables["customer_order"].items()]
        )
    },
)
def customer_order():
    """A run that is repeated loads nothing twice, so retries need no care."""
    source, target = os.environ["ORDERS_SOURCE"], os.environ["ORDERS_TARGET"]
    result = xml_extractor.run(CONTRACT, source, target, max_rejects="5%")
    counts = result.statistics
    return dg.MaterializeResult(
        metadata={"run_id": result.run_id, "loaded": counts.loaded, "rows": counts.rows_by_table},
        check_results=[
            dg.AssetCheckResult(
                check_name="no_rejects",
                passed=result.exit_code == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"rejected": counts.rejected, "rejected_earlier": result.earlier_rejects},
            )
        ],
    )


defs = dg.Definitions(
    assets=[customer_order],
    schedules=[dg.ScheduleDefinition("nightly", cron_schedule="30 1 * * *", target=[customer_order])],
)
