"""Kinds of documents for `tests.faults.verify`: of shipped contracts, and one whose tables are linked in all ways."""

import random
from pathlib import Path

from xml_extractor.documents import SourceDocument
from xml_extractor.samples import samples
from xml_extractor.sources.registry import open_source_writer

LINKED = """
contract: linked
version: 1
document: {root: Order, key: "@id", key_type: int}
keys: {line: {match: Line, use: "@no"}}
tables:
  article:
    rows: Line
    distinct: {by: [article]}
    on_conflict: keep
    columns:
      article: {path: "@article", type: varchar(8), key: true}
      name: {expression: "CONCAT('Article ', a)", inputs: {a: "@article"}, type: nvarchar(30)}
  orders:
    rows: "."
    columns:
      order_id: {derived: true, type: uniqueidentifier, key: true}
      file: {run: source_key}
      loaded_by: {run: run_id}
      loaded_at: {run: load_time}
      minute: {expression: "DATEADD(minute, 1, GETUTCDATE())", type: datetime}
      placed: {path: "@placed", type: datetime2(7)}
      zone: {path: "@zone", type: datetimeoffset(3)}
      ratio: {path: "@ratio", type: float}
      small: {path: "@ratio", type: real}
      code: {path: "@code", type: char(6)}
      raw: {path: "@raw", type: binary(4)}
      note: {path: Note, type: xml}
      price: {path: "@price", type: money}
  line:
    parent: orders
    rows: Line
    recursive: Line
    columns:
      line_id: {derived: true, type: bigint, key: true}
      order_id: {parent: orders.order_id}
      within_id: {parent: line.line_id}
      number: {position: true}
      article: {path: "@article", type: varchar(8)}
      next_id: {reference: line.line_id, at: "key('line', @next)"}
      amount: {path: "@amount", type: "decimal(20,6)"}
  tag:
    parent: line
    rows: Tag
    columns:
      line_id: {parent: line.line_id}
      tag: {path: ".", type: nvarchar(30)}
      at: {path: "@at", type: time(7)}
  remark:
    rows: Remark
    columns:
      text: {path: ".", type: nvarchar(200)}
      number: {path: "@n", type: smallint}
      date: {path: "@date", type: date}
"""
"""Rows found by derived keys through foreign keys, in trees, without any key, and shared by documents."""

KINDS = ("card_application", "ubl_invoice", "linked")


def linked(number: int, chance: random.Random, digits: int) -> str:
    """Return a document of the contract above, with times of so many digits of a second."""

    def line(depth: int) -> str:
        inner = "".join(line(depth + 1) for _ in range(chance.randrange(3 if depth < 3 else 1)))
        hours = [chance.randrange(9) for _ in range(chance.randrange(3))]
        tags = "".join(
            f'<Tag at="0{hour}:30:00.{1234567 // 10 ** (7 - digits)}">t{chance.randrange(4)}</Tag>' for hour in hours
        )
        no, following = chance.randrange(10**9), chance.randrange(10**9)
        return (
            f'<Line no="{no}" next="{no if chance.random() < 0.5 else following}" article="A{chance.randrange(50)}" '
            f'amount="{chance.randrange(10**9)}.{chance.randrange(10**6)}">{tags}{inner}</Line>'
        )

    lines = "".join(line(0) for _ in range(chance.randrange(1, 4)))
    months = [chance.randrange(1, 9) for _ in range(chance.randrange(3))]
    remarks = "".join(
        f'<Remark n="{chance.randrange(100)}" date="2026-0{month}-11">r {number} {chance.randrange(10**6)}</Remark>'
        for month in months
    )
    return (
        f'<Order id="{number}" placed="2026-03-05T09:30:00.{chance.randrange(10**digits):0{digits}}" '
        f'zone="2026-03-05T09:30:00+0{chance.randrange(9)}:00" ratio="{chance.random()!r}" '
        f'code="c{chance.randrange(1000)}" raw="{chance.randrange(256):02x}00" price="{chance.randrange(999)}.5">'
        f"<Note>a <b c='{number}'/> d</Note>{lines}{remarks}</Order>"
    )


def write_documents(kind: str, documents: int, folder: Path, seed: int, digits: int = 7) -> tuple[str, str]:
    """Write documents into a database, and return the name of their contract and the address.

    Args:
        kind: One of `KINDS`.
        documents: How many.
        folder: For the files.
        seed: Another one gives other documents.
        digits: Of a second; some servers that are not SQL Server drop the seventh.
    """
    address = f"sqlite:///{folder / 'source.db'}"
    chance = random.Random(seed)
    contract = kind
    with open_source_writer(address) as writer:
        if kind == "linked":
            contract = str(folder / "linked.yaml")
            Path(contract).write_text(LINKED.replace("(7)", f"({digits})"), encoding="utf-8")
            for number in range(1, documents + 1):
                writer.write(SourceDocument(number, linked(number, chance, digits)))
        else:
            for sample in samples(kind, documents, seed):
                writer.write(sample)
    return contract, address
