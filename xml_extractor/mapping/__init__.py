"""Map documents to rows: compile a contract to a plan once, then apply it to each document's element tree.

Read `rows.map_document` first: it is the whole path of a document. `compiler` builds the plan that it applies, from
`origins` (where a value comes from), `steps` (what becomes of it) and `paths` (XPath). `explain` lists the steps of a
value; only `preview` imports it.
"""

from xml_extractor.mapping.compiler import compile_plan
from xml_extractor.mapping.errors import MappingError
from xml_extractor.mapping.plan import Plan
from xml_extractor.mapping.revisions import read_revision
from xml_extractor.mapping.rows import map_document, own_key

__all__ = ["MappingError", "Plan", "compile_plan", "map_document", "own_key", "read_revision"]
