"""T-SQL scalar expressions, compiled to Python closures. Knows no XML, contract or database.

Types of results, rounding, implicit conversions, comparison of text and NULL follow SQL Server's documentation, for the
collation SQL_Latin1_General_CP1_CI_AS, the language us_english and `SET DATEFIRST 7`.
"""

from xml_extractor.tsql.calls import ALLOWED_FUNCTIONS
from xml_extractor.tsql.conversion import compile_assignment
from xml_extractor.tsql.expression import Condition, Expression, compile_condition, compile_expression
from xml_extractor.tsql.faults import EvaluationError, ExpressionError, ExpressionFault
from xml_extractor.tsql.search_condition import is_search_condition

__all__ = [
    "ALLOWED_FUNCTIONS",
    "Condition",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "ExpressionFault",
    "compile_assignment",
    "compile_condition",
    "compile_expression",
    "is_search_condition",
]
