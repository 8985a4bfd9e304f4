"""Generate `documentation/reference/errors.md` from the code: `python -m tests.errors_page`."""

import ast
import errno
import re
from collections.abc import Collection, Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from xml_extractor import errors

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "documentation" / "reference" / "errors.md"
PACKAGE = ROOT / "xml_extractor"

CLASSES = {
    "RunError": "The machine and the program",
    "WorkerDiedError": "Worker processes",
    "SourceError": "The source",
    "ArchiveError": "The source",
    "TargetError": "The target",
    "TablesError": "The target",
    "SilentTargetError": "The target",
    "TooManyRejectsError": "Limits of a run",
    "TooManyToleratedError": "Limits of a run",
}
"""The errors that end a run, and the heading that they are listed below."""

INTRODUCTION = """\
# Errors

A command that cannot continue writes a line `Error: …` and a line `Hint: …` to standard error, and ends with an
[exit code](exit-codes.md). This page lists the errors of exit codes 3 and 4, with the hints. `…` stands for a name or
a number. What was committed stays: after the cause is removed, run the same command again to continue.

Errors of exit code 2 are wrong usage, or faults of the contract. They name the option or the line of the contract, and
the hint names the correction. Nothing was loaded.

A document that cannot be loaded is no error: see [reasons of rejection](reasons.md).
"""

DATABASES = """\
A database error that one document causes rejects that document: see [stage `load`](reasons.md#stage-load). A transient
error is [retried](../how-to/azure-sql.md#transient-errors). All others end the run with `the target cannot load: …`
and one of these explanations.
"""

EXHAUSTED = ("EMFILE", "ENFILE", "ENOSPC", "ENOMEM", "EAGAIN", "EROFS")
"""The names of the operating system's errors that have a hint; their numbers differ between systems."""


OWN_SECTION = "the system has no resources left"


class Raised(NamedTuple):
    """An error as the code raises it: class, message and tip, with `…` for what varies."""

    kind: str
    message: str
    tip: str


class Names(dict[str, list[tuple[int, ast.expr]]]):
    """What the names of a function or module stand for: the values that are assigned to them, with their lines."""

    def __init__(self, nodes: Iterable[ast.AST]) -> None:
        super().__init__()
        for node in nodes:
            match node:
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    self.setdefault(name, []).append((node.lineno, value))

    def value(self, name: ast.Name) -> ast.expr | None:
        """Return what was assigned to a name last before its line."""
        before = [value for line, value in sorted(self.get(name.id, ()), key=itemgetter(0)) if line < name.lineno]
        return before[-1] if before else None


class Reader:
    """Reads the texts of the errors that the package raises."""

    def __init__(self) -> None:
        self._trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]
        self._constants = {
            name: values[-1][1] for tree in self._trees for name, values in Names(tree.body).items() if name.isupper()
        }

    def errors(self, kinds: Collection[str]) -> Iterator[Raised]:
        """Yield the errors of these classes."""
        for tree in self._trees:
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef):
                    names = Names(ast.walk(function))
                    for call in ast.walk(function):
                        match call:
                            case ast.Call(func=ast.Name(kind), args=[message, *rest]) if kind in kinds:
                                tip = self._text(rest[0], names) if rest else ""
                                yield Raised(kind, self._text(message, names), tip)

    def _text(self, node: ast.expr, names: Names) -> str:  # noqa: PLR0911 - a line for each kind of expression
        """Return the text that an expression gives, with `…` for what is known only when it is evaluated."""
        match node:
            case ast.Constant(str(text)):
                return text
            case ast.JoinedStr(values=parts):
                return "".join(self._text(part, names) for part in parts)
            case ast.FormattedValue(value=ast.IfExp()):
                return ""
            case ast.FormattedValue(value=ast.Name(name) as value) if name.isupper() or name == "tip":
                return self._text(value, names)
            case ast.Name(name) as variable:
                assigned = self._constants.get(name) or names.value(variable)
                return "…" if assigned is None else self._text(assigned, names)
            case ast.BoolOp(values=[*_, last]):
                return self._text(last, names)
            case ast.IfExp(body=body):
                return self._text(body, names)
            case ast.Call(func=ast.Attribute(value=text, attr="format")):
                return self._text(text, names).replace("{}", "…")
            case ast.Call(func=ast.Attribute(attr="join"), args=[ast.Tuple(elts=[first, *_])]):
                return f"{self._text(first, names)}: …"
        return "…"


def errors_page() -> str:
    """Return the page: a table for each subject, then those of the databases."""
    found = sorted(
        {
            each
            for each in Reader().errors(CLASSES)
            if each.message.strip("… ") and not each.message.startswith(OWN_SECTION)
        }
    )
    parts = [INTRODUCTION]
    for heading in dict.fromkeys(CLASSES.values()):
        of_heading = [each for each in found if CLASSES[each.kind] == heading]
        parts.append(f"## {heading}\n\n{_table('error', of_heading)}")
    tips = [(name, errors._EXHAUSTED[getattr(errno, name)]) for name in EXHAUSTED]
    exhausted = [f"| `{name}` | {_sentence(tip)} |" for name, tip in tips]
    parts.append(
        "\n".join(
            (
                "## The operating system\n",
                "`the system has no resources left: …`\n",
                "| error | what to do |",
                "|---|---|",
                *exhausted,
                "",
            )
        )
    )
    return "\n".join((*parts, "## Databases\n", DATABASES, _databases()))


def _table(first: str, found: list[Raised]) -> str:
    messages = {each: f"… {each.message}" if each.kind == "ArchiveError" else each.message for each in found}
    rows = [f"| {_code(messages[each])}{_exit_code(each.kind)} | {_sentence(each.tip)} |" for each in found]
    return "\n".join((f"| {first} | what to do |", "|---|---|", *rows, ""))


def _code(text: str) -> str:
    return f"`{text}`" if "`" not in text else text


def _exit_code(kind: str) -> str:
    code = getattr(errors, kind, errors.RunError).exit_code
    return "" if code == errors.EXIT_FAILED else f" (exit code {code})"


def _sentence(tip: str) -> str:
    text = tip.replace("what was committed stays; ", "").strip("… ;")
    if not text:
        return "See [databases](#databases)."
    parts = re.split(r"(`[^`]+`)", text)
    parts[::2] = [re.sub(r"(--[a-z-]+|TMPDIR|[A-Z]\w+=\w+)", r"`\1`", part) for part in parts[::2]]
    text = "".join(parts)
    return f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}".replace("|", "\\|")


def _databases() -> str:
    from xml_extractor.targets.sqlite import errors as of_sqlite
    from xml_extractor.targets.sqlserver import errors as of_sql_server

    fatal: dict[tuple[str, str], list[str]] = {}
    for number, (explanation, tip) in sorted(of_sql_server._FATAL.items()):
        fatal.setdefault((explanation, tip), []).append(f"{number}")
    for _, _, explanation, tip in of_sql_server._SETUP:
        fatal.setdefault((explanation, tip), []).append("of the driver")
    lines = ["### SQL Server\n", "| error | explanation | what to do |", "|---|---|---|"]
    lines += [f"| {', '.join(names)} | {meaning} | {_sentence(tip)} |" for (meaning, tip), names in fatal.items()]
    lines += ["\n### SQLite\n", "| error | explanation | what to do |", "|---|---|---|"]
    lines += [f"| `{name}` | {meaning} | {_sentence(tip)} |" for name, (meaning, tip) in of_sqlite._FATAL.items()]
    return "\n".join((*lines, ""))


if __name__ == "__main__":
    PAGE.write_text(errors_page(), encoding="utf-8")
