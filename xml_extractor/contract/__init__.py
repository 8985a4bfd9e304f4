"""What a contract is, how it is read, and what is wrong with it."""

from xml_extractor.contract.faults import Fault
from xml_extractor.contract.fingerprint import contract_hash
from xml_extractor.contract.json_schema import contract_json_schema
from xml_extractor.contract.model import Contract
from xml_extractor.contract.reading import find_faults, read_contract, shipped_contracts

__all__ = [
    "Contract",
    "Fault",
    "contract_hash",
    "contract_json_schema",
    "find_faults",
    "read_contract",
    "shipped_contracts",
]
