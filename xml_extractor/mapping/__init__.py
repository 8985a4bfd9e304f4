"""A contract compiled to a plan once; a plan and a document's element tree to rows."""

from xml_extractor.mapping.failures import MappingError
from xml_extractor.mapping.mapper import map_document
from xml_extractor.mapping.plan import Plan, compile_plan

__all__ = ["MappingError", "Plan", "compile_plan", "map_document"]
