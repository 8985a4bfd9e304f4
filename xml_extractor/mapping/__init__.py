"""A contract compiled to a plan once; a plan and a document's element tree to rows."""

from xml_extractor.mapping.explain import ExplainedStep, ExplainedValue, explain
from xml_extractor.mapping.failures import MappingError
from xml_extractor.mapping.mapper import map_document, own_key
from xml_extractor.mapping.plan import Plan, compile_plan

__all__ = [
    "ExplainedStep",
    "ExplainedValue",
    "MappingError",
    "Plan",
    "compile_plan",
    "explain",
    "map_document",
    "own_key",
]
