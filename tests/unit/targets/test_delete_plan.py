"""How the rows of one document are found: by a column with its key, or by the foreign keys that lead to one."""

from typing import Any

import pytest

from xml_extractor.contract.defaults import with_defaults
from xml_extractor.contract.model import Contract, Defaults
from xml_extractor.contract.own_rows import DocumentKeys
from xml_extractor.contract.reading import read_contract, shipped_contracts
from xml_extractor.errors import UsageError
from xml_extractor.targets.delete_plan import Dialect, deletion, plan_deletion

PLAIN = Dialect(lambda name: name, lambda name: f"dbo.{name}", lambda name: name)
OWN = {"key": "@id", "key_type": "int"}


def contract(tables: dict[str, Any], **document: Any) -> Contract:
    return Contract.model_validate(
        {"contract": "orders", "version": 1, "document": {"root": "order", **document}, "tables": tables}
    )


def table(rows: str = ".", **columns: Any) -> dict[str, Any]:
    return {"rows": rows, "columns": columns}


def found(given: Contract) -> dict[str, tuple[str, bool]]:
    """For each table the column with the key, and whether it is the source's."""
    return {
        column.table.name: (f"{column.key_table.name}.{column.column.name}", column.kind == "source")
        for column in plan_deletion(given)
    }


KEY = {"path": "@id", "type": "int", "key": True}


@pytest.mark.parametrize(
    ("column", "document", "whose"),
    [
        (KEY, OWN, "own"),
        ({"path": "@id", "type": "bigint"}, OWN, "own"),
        ({"path": "@id", "type": "int"}, {"key": "@id"}, "own"),
        ({"path": "@id", "type": "varchar(20)"}, {"key": "@id", "key_type": "nvarchar(20)"}, "own"),
        ({"run": "document_key"}, OWN, "own"),
        ({"run": "document_key"}, {}, "source"),
        ({"run": "source_key"}, OWN, "source"),
        ({"run": "source_key", "type": "int"}, {}, "source"),
    ],
)
def test_a_column_with_the_key_is_found(column: dict[str, Any], document: dict[str, Any], whose: str) -> None:
    assert found(contract({"orders": table(key=column)}, **document)) == {"orders": ("orders.key", whose == "source")}


@pytest.mark.parametrize(
    ("column", "document"),
    [
        ({"path": "@number", "type": "int"}, OWN),
        ({"path": "@id", "type": "int"}, {}),
        ({"path": "@id", "type": "varchar(20)"}, OWN),
        ({"path": "@id", "type": "int", "transform": ["digits"]}, OWN),
        ({"path": "@id", "type": "int", "on_invalid": "null"}, OWN),
        ({"path": "@id", "type": "int", "default": 0}, OWN),
        ({"run": "source_key", "transform": ["lower"]}, {}),
        ({"run": "run_id"}, OWN),
        ({"derived": True, "type": "bigint"}, OWN),
    ],
)
def test_a_column_that_may_hold_something_else_is_none(column: dict[str, Any], document: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="in the table orders the rows of a document cannot be found") as refused:
        plan_deletion(contract({"orders": table(key=column)}, **document))
    assert "run: source_key" in refused.value.tip


def test_a_column_with_the_transforms_of_the_key_is_found() -> None:
    keyed = contract({"orders": table(key=KEY)}, **OWN)
    defaults = Defaults.model_validate({"transform": ["trim"], "on_invalid": ["round", "null"]})
    assert found(with_defaults(keyed.model_copy(update={"defaults": defaults}))) == {"orders": ("orders.key", False)}
    with pytest.raises(UsageError, match="in the table orders"):
        plan_deletion(keyed.model_copy(update={"defaults": defaults}))


def test_a_path_from_other_nodes_than_the_root_is_no_key() -> None:
    with pytest.raises(UsageError, match="in the table line "):
        plan_deletion(contract({"line": table("line", order_id=KEY)}, **OWN))


LINKED = contract(
    {
        "orders": table(order_id=KEY),
        "line": table(
            "line", line_id={"derived": True, "type": "bigint", "key": True}, order_id={"parent": "orders.order_id"}
        ),
        "part": {
            "parent": "line",
            **table("part", line_id={"parent": "line.line_id", "key": True}, part_no={"position": True, "key": True}),
        },
        "mark": {
            "parent": "part",
            **table("mark", line_id={"parent": "part.line_id"}, part_no={"parent": "part.part_no"}),
        },
    },
    **OWN,
)


def test_children_are_found_by_copies_of_the_key_and_grandchildren_by_their_parents() -> None:
    assert list(found(LINKED).items()) == [
        ("mark", ("line.order_id", False)),
        ("part", ("line.order_id", False)),
        ("line", ("line.order_id", False)),
        ("orders", ("orders.order_id", False)),
    ], "in the order to delete them in"


def test_statements_go_along_the_foreign_keys() -> None:
    mark, part, line, _ = plan_deletion(LINKED)
    assert deletion(line, PLAIN, "?") == "DELETE FROM dbo.line WHERE order_id = ?"
    assert deletion(part, PLAIN, "?") == (
        "DELETE FROM dbo.part WHERE EXISTS (SELECT 1 FROM dbo.line AS p1 WHERE p1.line_id = part.line_id "
        "AND p1.order_id = ?)"
    )
    assert deletion(mark, PLAIN, "?") == (
        "DELETE FROM dbo.mark WHERE EXISTS (SELECT 1 FROM dbo.part AS p1 WHERE p1.line_id = mark.line_id "
        "AND p1.part_no = mark.part_no AND EXISTS (SELECT 1 FROM dbo.line AS p2 WHERE p2.line_id = p1.line_id "
        "AND p2.order_id = ?))"
    )


def test_the_source_s_key_is_preferred_because_it_never_changes() -> None:
    orders = table(order_id=KEY, source={"run": "source_key"})
    line = table("line", order_id={"parent": "orders.order_id"}, line_no={"position": True})
    assert found(contract({"orders": orders, "line": line}, **OWN)) == {
        "line": ("orders.source", True),
        "orders": ("orders.source", True),
    }


def test_a_table_that_no_foreign_key_links_is_named() -> None:
    lone = table("article", number={"path": "@no", "type": "int", "key": True})
    with pytest.raises(UsageError, match="in the table article the rows of a document cannot be found"):
        plan_deletion(contract({"orders": table(order_id=KEY), "article": lone}, **OWN))


def test_a_table_whose_rows_documents_replace_is_named() -> None:
    replaced = table("article", number={"path": "@no", "type": "int", "key": True}) | {"on_conflict": "replace"}
    with pytest.raises(UsageError, match=r"the table article .* `on_conflict: replace`"):
        plan_deletion(contract({"orders": table(order_id=KEY), "article": replaced}, **OWN))


def test_rows_that_documents_share_belong_to_none_and_lead_to_none() -> None:
    shared = table(key=KEY) | {"on_conflict": "keep"}
    below = table("note", article={"parent": "article.key", "key": True}, number={"position": True, "key": True})
    with pytest.raises(UsageError, match="in the table note the rows of a document cannot be found"):
        plan_deletion(contract({"article": shared, "note": {**below, "parent": "article"}}))
    assert found(contract({"article": shared, "orders": table(order_id=KEY)}, **OWN)) == {
        "orders": ("orders.order_id", False)
    }


def test_rows_of_revisions_are_found_by_what_they_are_about_too() -> None:
    by_number = contract(
        {"orders": table(key={"path": "@no", "type": "int", "key": True})},
        key="@id",
        revision={"of": "@no", "order": {"path": "@rev", "type": "int"}},
    )
    (column,) = plan_deletion(by_number)
    assert column.key(DocumentKeys("a.xml", "x", ("7",))) == 7
    several = {"of": ["@no", "@part"], "order": "source"}
    with pytest.raises(UsageError, match="cannot be found"):
        plan_deletion(contract({"orders": table(key={"path": "@no", "type": "int", "key": True})}, revision=several))


@pytest.mark.parametrize("key", [{}, OWN])
def test_a_column_with_the_transforms_of_what_a_document_is_about_is_found(key: dict[str, Any]) -> None:
    def defaulted(**column: Any) -> Contract:
        orders = table(no={"path": "@no", "type": "int", "key": True, **column})
        revision = {"of": "@no", "order": "source"}
        defaults = Defaults.model_validate({"transform": ["trim", "digits"]})
        return with_defaults(
            contract({"orders": orders}, revision=revision, **key).model_copy(update={"defaults": defaults})
        )

    assert found(defaulted()) == {"orders": ("orders.no", False)}
    with pytest.raises(UsageError, match="cannot be found"):
        plan_deletion(defaulted(transform=[]))


@pytest.mark.parametrize("name", shipped_contracts())
def test_documents_of_the_shipped_contracts_can_be_done_again(name: str) -> None:
    shipped = read_contract(name)
    assert found(shipped).keys() == shipped.tables.keys()


def test_a_key_is_given_as_the_column_holds_it() -> None:
    (own,) = plan_deletion(contract({"orders": table(order_id=KEY)}, key="@id"))
    assert [own.key(DocumentKeys("a.xml", key)) for key in ("007", 7, None, "seven")] == [7, 7, None, None]
    (padded,) = plan_deletion(contract({"orders": table(key={"path": "@id", "type": "char(4)"})}, key="@id"))
    assert [padded.key(DocumentKeys("a.xml", key)) for key in ("ab", "too long")] == ["ab  ", None]
    (source,) = plan_deletion(contract({"orders": table(key={"run": "source_key"})}))
    assert [source.key(DocumentKeys(key, 1)) for key in (5, "a.xml")] == ["5", "a.xml"]
