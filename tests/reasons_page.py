"""Generate `documentation/reference/reasons.md` from the reason codes: `python tests/reasons_page.py`."""

from pathlib import Path

from xml_extractor.reasons import Reason, Stage

PAGE = Path(__file__).parent.parent / "documentation" / "reference" / "reasons.md"

INTRODUCTION = """\
# Reasons of rejection

A document that cannot be loaded is rejected; all others are loaded. Its row in the [processing log](processing-log.md)
has the stage and the reason, and the [metrics](metrics.md) and the run's summary count documents by code. A
reason reads

```text
unknown_code at customer_order.state_id (State): the lookup does not list that code
```

code, table and column, the contract's XPath, explanation. It never contains a value of the document. To see values,
[look into the reject](../how-to/look-into-rejects.md).
"""

STAGES = {
    Stage.FETCH: "The document could not be read from the source.",
    Stage.PARSE: "The bytes are not a document that the contract describes. Explanations give lines and columns of the "
    "document's UTF-8 form.",
    Stage.MAP: "A value cannot be computed, or does not fit its column. With `on_invalid`, the column takes NULL, the "
    "`default` or the truncated value instead.",
    Stage.LOAD: "The database refused the document's rows.",
}


def reasons_page() -> str:
    """The page: a table for each stage."""
    return "\n".join((INTRODUCTION, *map(section, Stage)))


def section(stage: Stage) -> str:
    """The reasons of a stage."""
    rows = [
        f"| `{reason}` | {explanation.meaning} | {explanation.remedy} |"
        for reason in Reason
        for explanation in reason.explanations
        if explanation.stage is stage
    ]
    heading = ("| code | meaning | what to do |", "|---|---|---|")
    return "\n".join((f"## Stage `{stage}`", "", STAGES[stage], "", *heading, *rows, ""))


if __name__ == "__main__":
    PAGE.write_text(reasons_page(), encoding="utf-8")
