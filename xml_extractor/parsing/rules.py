"""What a contract says about reading its documents, in the parser's terms."""

from xml_extractor.contract.model import Contract
from xml_extractor.contract.names import clark_name
from xml_extractor.parsing.parser import ParsingRules


def parsing_rules(contract: Contract) -> ParsingRules:
    """The rules by which a contract's documents are parsed."""
    document = contract.document
    steps = document.read_until.split("/") if document.read_until else []
    return ParsingRules(
        root=clark_name(document.root, contract.namespaces),
        read_until=tuple(clark_name(step, contract.namespaces) for step in steps),
        allow_doctype=document.doctype == "allow",
        max_bytes=document.max_bytes,
    )
