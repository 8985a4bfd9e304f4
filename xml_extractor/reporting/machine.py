"""The machine and the versions that a figure belongs to."""

import os
import platform
from importlib.metadata import version
from typing import Any

PACKAGES = ("xml-extractor", "lxml", "pyodbc", "sqlalchemy", "sqlglot", "pydantic")


def machine() -> dict[str, Any]:
    """This machine as JSON-ready data, as `documentation/reference/metrics.md` describes it."""
    return {
        "cpus": os.cpu_count(),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "packages": {package: version(package) for package in PACKAGES},
    }
