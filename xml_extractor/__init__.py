"""Load XML documents into related SQL tables by a declarative contract.

The names of `__all__` are the Python API; `documentation/reference/python-api.md` describes it. They are imported when
they are first used, so that `import xml_extractor` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from xml_extractor.distribution import VERSION

if TYPE_CHECKING:
    from xml_extractor.api.mapping import Contract, DocumentRows, RejectedError, read_contract
    from xml_extractor.api.running import run
    from xml_extractor.errors import ContractError, RunError, UsageError, XmlExtractorError
    from xml_extractor.reporting.result import RunResult

__version__ = VERSION

__all__ = [
    "Contract",
    "ContractError",
    "DocumentRows",
    "RejectedError",
    "RunError",
    "RunResult",
    "UsageError",
    "XmlExtractorError",
    "__version__",
    "read_contract",
    "run",
]

_MODULES = {
    **dict.fromkeys(("Contract", "DocumentRows", "RejectedError", "read_contract"), "xml_extractor.api.mapping"),
    **dict.fromkeys(("ContractError", "RunError", "UsageError", "XmlExtractorError"), "xml_extractor.errors"),
    "run": "xml_extractor.api.running",
    "RunResult": "xml_extractor.reporting.result",
}


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return found


def __dir__() -> list[str]:
    """List the names of the API, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
