"""The short forms in which a contract may be written, and what each of them stands for."""

from collections.abc import Mapping

from xml_extractor.values.sqltypes import SqlType, parse_type


def null_as_word(value: object) -> object:
    """Return the word that stands for a null of YAML."""
    return "null" if value is None else value


def as_choices(value: object) -> object:
    """Read a list of choices that is only its entry; a null of YAML is the word."""
    return [null_as_word(choice) for choice in value] if isinstance(value, list) else as_list(null_as_word(value))


def read_type(value: object) -> object:
    """Read the name of a SQL Server type."""
    return value if isinstance(value, SqlType) else parse_type(str(value))


def read_transform(value: object) -> object:
    """Read a transform: its name, or its name with options."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Mapping) and len(value) == 1:
        name, options = next(iter(value.items()))
        return {"name": name, "options": {"name": options} if name == "lookup" else options}
    raise ValueError("a name, or one name with its options")


def read_input(value: object) -> object:
    """Read an input that is only a path."""
    return {"path": value} if isinstance(value, str) else value


def as_list(value: object) -> object:
    """Read a list that is only its entry."""
    return (value,) if isinstance(value, str) else value


def read_lookup(value: object) -> object:
    """Read a lookup that has only codes and values."""
    if isinstance(value, Mapping) and not isinstance(value.get("values"), Mapping):
        return {"values": value}
    return value


def read_rows(value: object) -> object:
    """Read row rules, of which each may be only a path."""
    if isinstance(value, list):
        return [{"path": rule} if isinstance(rule, str) else rule for rule in value]
    return [{"path": value}] if isinstance(value, str) else value


def read_order(value: object) -> object:
    """Read the order of revisions: `source` is an order without values, and a list may be only its entry."""
    if value == "source":
        return ()
    if isinstance(value, str) or value == []:
        raise ValueError("source, or a list of mappings with path and type")
    return (value,) if isinstance(value, Mapping) else value


def only_true(value: object) -> object:
    """Read a key that is `true` or left out."""
    if value is not True:
        raise ValueError("true, or the key left out")
    return value
