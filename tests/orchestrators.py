"""Execute an example for an orchestrator: `python -m tests.orchestrators airflow`, where the orchestrator is installed.

Two documents wait, one of which is rejected. The example loads them twice; the second time there is nothing to do.
`make orchestrators` runs this in an environment for each orchestrator.
"""

import argparse
import os
import re
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
TUTORIAL = ROOT / "documentation" / "tutorial" / "first-load.md"
BLOCK = re.compile(r"^```(xml|yaml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SECONDS = 300
"""How long a server may take to start on a busy machine."""
EXPECTED = [("loaded", 1), ("rejected", 1)]


def orders(directory: Path) -> dict[str, str]:
    """Write the contract and the documents of the tutorial, and return the variables that the examples read."""
    found = BLOCK.findall(TUTORIAL.read_text(encoding="utf-8"))
    (directory / "orders").mkdir()
    for number, (_, text) in enumerate(block for block in found if block[0] == "xml"):
        (directory / "orders" / f"{number + 1001}.xml").write_text(text, encoding="utf-8")
    contract = next(text for kind, text in found if kind == "yaml" and text.startswith("contract:"))
    (directory / "orders.yaml").write_text(contract, encoding="utf-8")
    return {
        "ORDERS_CONTRACT": str(directory / "orders.yaml"),
        "ORDERS_SOURCE": str(directory / "orders"),
        "ORDERS_TARGET": f"sqlite:///{directory / 'orders.db'}",
    }


def run_airflow(directory: Path) -> None:
    """Run the DAG with a metadata database of its own."""
    os.environ["AIRFLOW_HOME"] = str(directory / "airflow")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(EXAMPLES)
    airflow = [sys.executable, "-m", "airflow"]
    subprocess.run([*airflow, "db", "migrate"], check=True, stdout=subprocess.DEVNULL)
    dag = runpy.run_path(str(EXAMPLES / "airflow_dag.py"))["load_orders_dag"]
    for _ in range(2):
        assert str(dag.test().state).endswith("success")


def run_dagster(directory: Path) -> None:
    """Materialize the asset, and check that its definitions are complete."""
    os.environ["DAGSTER_HOME"] = str(directory)
    dagster = __import__("dagster")
    definitions = runpy.run_path(str(EXAMPLES / "dagster_assets.py"))
    dagster.Definitions.validate_loadable(definitions["defs"])
    for _ in range(2):
        result = dagster.materialize([definitions["customer_order"]])
        assert result.success
        (check,) = result.get_asset_check_evaluations()
        assert not check.passed


def run_prefect(directory: Path) -> None:
    """Run the flow against a server of its own."""
    os.environ["PREFECT_HOME"] = str(directory / "prefect")
    harness = __import__("prefect.testing.utilities", fromlist=["prefect_test_harness"]).prefect_test_harness
    with harness(server_startup_timeout=SECONDS):
        flow = runpy.run_path(str(EXAMPLES / "prefect_flow.py"))["load_orders"]
        assert [flow(), flow()] == [1, 0]


RUN: dict[str, Callable[[Path], None]] = {"airflow": run_airflow, "dagster": run_dagster, "prefect": run_prefect}


def main() -> None:
    """Execute an example, and check what it has loaded."""
    # Nothing leaves this machine.
    os.environ |= {"DO_NOT_TRACK": "1", "DAGSTER_DISABLE_TELEMETRY": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    parser = argparse.ArgumentParser(prog="python -m tests.orchestrators", description=__doc__)
    parser.add_argument("orchestrator", choices=RUN)
    name = parser.parse_args().orchestrator
    with TemporaryDirectory() as temporary:
        directory = Path(temporary)
        os.environ.update(orders(directory))
        RUN[name](directory)
        with closing(sqlite3.connect(directory / "orders.db")) as database:
            found = database.execute("SELECT status, count(*) FROM processing_log GROUP BY status").fetchall()
    assert sorted(found) == EXPECTED, found
    print(f"The example for {name} works.")


if __name__ == "__main__":
    main()
