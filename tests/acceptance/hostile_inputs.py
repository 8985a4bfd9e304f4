"""Documents, archives and tables made to read files, reach the network, write elsewhere, or exhaust memory or time."""

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

ADDRESS = b"http://127.0.0.1:9/"
"""Stands in documents for the address of a server that nobody may call."""

MAPPED = "mapped"
LARGE = 10_000_001
HUGE = 200_000_000
MANY = 100_000

CONTRACT = """
contract: hostile
version: 1
document: {root: a}
tables:
  a:
    rows: "."
    columns:
      name: {run: source_key, type: nvarchar(200), key: true}
      elements: {path: "count(.//*)", type: int}
      attributes: {path: "count(@*)", type: int}
      first: {path: "b[1]", type: nvarchar(max)}
      all: {path: ".", type: nvarchar(max)}
"""


class Hostile(NamedTuple):
    """An input.

    Attributes:
        expected: `MAPPED`, stage and code of the rejection, or the beginning of the error that ends the run.
        build: Makes it in an empty directory, and returns the source's address.
        megabytes: The memory that it may take at most, beside that of the program.
    """

    expected: str
    build: Callable[[Path], str]
    megabytes: int = 64


def _file(content: bytes) -> Callable[[Path], str]:
    def build(directory: Path) -> str:
        (directory / "hostile.xml").write_bytes(content)
        return str(directory)

    return build


def _huge_file(directory: Path) -> str:
    with (directory / "hostile.xml").open("wb") as file:
        file.write(b"<a>")
        file.truncate(HUGE)
    return str(directory)


def _huge_row(declared: str) -> Callable[[Path], str]:
    def build(directory: Path) -> str:
        with closing(sqlite3.connect(directory / "hostile.db")) as database, database:
            database.execute(f"CREATE TABLE app_xml (app_id INTEGER PRIMARY KEY, xml {declared})")
            database.execute(f"INSERT INTO app_xml VALUES (1, CAST(zeroblob({HUGE}) AS {declared}))")
        return f"sqlite:///{directory / 'hostile.db'}"

    return build


def _zip(directory: Path) -> str:
    with zipfile.ZipFile(directory / "hostile.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("hostile.xml", bytes(HUGE))
    return str(directory / "hostile.zip")


def _zip_that_lies(directory: Path) -> str:
    path = Path(_zip(directory))
    path.write_bytes(path.read_bytes().replace(HUGE.to_bytes(4, "little"), (99).to_bytes(4, "little")))
    return str(path)


def _tar(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    packed = io.BytesIO()
    with tarfile.TarFile(fileobj=packed, mode="w") as archive:
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, target
    return made


def _plain_tar(member: tarfile.TarInfo) -> Callable[[Path], str]:
    def build(directory: Path) -> str:
        packed = _tar(member, bytes(member.size))
        (directory / "hostile.tar").write_bytes(packed)
        return str(directory / "hostile.tar")

    return build


def _compressed_tar(ending: str, compress: Callable[[bytes], bytes]) -> Callable[[Path], str]:
    def build(directory: Path) -> str:
        path = directory / f"hostile.tar.{ending}"
        path.write_bytes(compress(_tar(_member("hostile.xml", size=HUGE), bytes(HUGE))))
        return str(path)

    return build


def _archive_of(*names: str) -> Callable[[Path], str]:
    """Python would not write such names, so they take the place of others of their length."""

    def build(directory: Path) -> str:
        path = directory / "hostile.zip"
        fillers = [f"{number:0{len(name)}}" for number, name in enumerate(names)]
        with zipfile.ZipFile(path, "w") as archive:
            for filler in fillers:
                archive.writestr(filler, b"<a/>")
        content = path.read_bytes()
        for filler, name in zip(fillers, names, strict=True):
            content = content.replace(filler.encode(), name.encode())
        path.write_bytes(content)
        return str(path)

    return build


def _numbered(pattern: bytes, count: int) -> bytes:
    return b" ".join(pattern.replace(b"%", b"%d" % number) for number in range(count))


_LAUGHS = b'<!ENTITY l0 "lol">' + b"".join(
    b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10) for level in range(1, 10)
)
_XSI = b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
_DEEP = b"<a>" + b"<b>" * 1_000_000

INPUTS: dict[str, Hostile] = {
    "external entity": Hostile(
        "parse doctype", _file(b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>')
    ),
    "external entity by network": Hostile(
        "parse doctype", _file(b'<!DOCTYPE a [<!ENTITY e SYSTEM "' + ADDRESS + b'">]><a>&e;</a>')
    ),
    "external subset": Hostile("parse doctype", _file(b'<!DOCTYPE a SYSTEM "' + ADDRESS + b'x.dtd"><a/>')),
    "parameter entity": Hostile(
        "parse doctype", _file(b'<!DOCTYPE a [<!ENTITY % p SYSTEM "' + ADDRESS + b'"> %p;]><a/>')
    ),
    "billion laughs": Hostile("parse doctype", _file(b"<!DOCTYPE a [" + _LAUGHS + b"]><a>&l9;</a>")),
    "quadratic blow-up": Hostile(
        "parse doctype", _file(b'<!DOCTYPE a [<!ENTITY e "' + b"x" * MANY + b'">]><a>' + b"&e;" * MANY + b"</a>")
    ),
    "a million levels": Hostile("parse too_deep", _file(_DEEP)),
    "giant text": Hostile(MAPPED, _file(b"<a>" + b"x" * LARGE + b"</a>")),
    "giant attribute": Hostile(MAPPED, _file(b'<a x="' + b"x" * LARGE + b'"/>')),
    "giant comment": Hostile(MAPPED, _file(b"<a><!--" + b"x" * LARGE + b"--></a>")),
    "giant instruction": Hostile(MAPPED, _file(b"<a><?x " + b"x" * LARGE + b"?></a>")),
    "giant CDATA": Hostile(MAPPED, _file(b"<a><![CDATA[" + b"x" * LARGE + b"]]></a>")),
    "giant name": Hostile(MAPPED, _file(b"<a><" + b"x" * MANY + b"/></a>")),
    "comment that never ends": Hostile("parse malformed", _file(b"<a><!--" + b"x" * 5_000_000)),
    "100,000 attributes": Hostile(MAPPED, _file(b"<a " + _numbered(b'x%="1"', MANY) + b"/>"), 128),
    "100,000 attributes of one name": Hostile("parse malformed", _file(b"<a " + b'x="1" ' * MANY + b"/>")),
    "100,000 namespaces": Hostile(MAPPED, _file(b"<a " + _numbered(b'xmlns:x%="urn:%"', MANY) + b"/>"), 128),
    "namespaces and names that use them": Hostile(
        MAPPED,
        _file(b"<a " + _numbered(b'xmlns:x%="urn:%"', 5_000) + b">" + _numbered(b"<x%:b/>", 5_000) * 10 + b"</a>"),
        128,
    ),
    "a million elements": Hostile(MAPPED, _file(b"<a>" + b"<b/>" * 1_000_000 + b"</a>"), 256),
    "200,000 new names": Hostile(MAPPED, _file(b"<a>" + _numbered(b"<n%/>", 2 * MANY) + b"</a>"), 128),
    "unknown encoding": Hostile("parse wrong_encoding", _file(b"<?xml version='1.0' encoding='martian'?><a/>")),
    "UTF-7": Hostile("parse wrong_encoding", _file(b"<?xml version='1.0' encoding='UTF-7'?><a>+ADw-</a>")),
    "UTF-7 without declaration": Hostile("parse malformed", _file(b"+ADw-a+AD4APA-/a+AD4-")),
    "EBCDIC": Hostile("parse wrong_encoding", _file("<?xml version='1.0' encoding='cp037'?><a/>".encode("cp037"))),
    "EBCDIC by name": Hostile("parse wrong_encoding", _file(b"<?xml version='1.0' encoding='ebcdic-cp-us'?><a/>")),
    "encoding that decompresses": Hostile("parse wrong_encoding", _file(b"<?xml version='1.0' encoding='zlib'?><a/>")),
    "schema location": Hostile(
        MAPPED, _file(b"<a " + _XSI + b' xsi:schemaLocation="urn:a ' + ADDRESS + b'a.xsd" xsi:type="a"/>')
    ),
    "XInclude": Hostile(
        MAPPED,
        _file(b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="/etc/passwd" parse="text"/></a>'),
    ),
    "xml:base": Hostile(MAPPED, _file(b'<a xml:base="' + ADDRESS + b'"><b href="x"/></a>')),
    "stylesheet": Hostile(MAPPED, _file(b'<?xml-stylesheet type="text/xsl" href="' + ADDRESS + b'x.xsl"?><a/>')),
    "gzip": Hostile(MAPPED, _file(gzip.compress(b"<a/>", mtime=0))),
    "gzip of gzip": Hostile("parse wrong_encoding", _file(gzip.compress(gzip.compress(b"<a/>", mtime=0), mtime=0))),
    "gzip that breaks off": Hostile("fetch unreadable", _file(gzip.compress(b"<a/>", mtime=0)[:-9])),
    "gzip with something behind it": Hostile("fetch unreadable", _file(gzip.compress(b"<a/>", mtime=0) + b"rubbish")),
    "200 MB in a gzip": Hostile("fetch too_large", _file(gzip.compress(bytes(HUGE), mtime=0)), 192),
    "200 MB in a file": Hostile("fetch too_large", _huge_file, 192),
    "200 MB in a row, as text": Hostile("fetch too_large", _huge_row("TEXT")),
    "200 MB in a row, as bytes": Hostile("fetch too_large", _huge_row("BLOB")),
    "200 MB in a zip": Hostile("fetch too_large", _zip),
    "200 MB in a zip that says 99": Hostile("fetch unreadable", _zip_that_lies, 192),
    "200 MB in a tar": Hostile("fetch too_large", _plain_tar(_member("hostile.xml", size=HUGE))),
    "200 MB in a tar.gz": Hostile("fetch too_large", _compressed_tar("gz", gzip.compress)),
    "200 MB in a tar.bz2": Hostile("fetch too_large", _compressed_tar("bz2", bz2.compress)),
    "200 MB in a tar.xz": Hostile("fetch too_large", _compressed_tar("xz", lzma.compress), 96),
    "zip, above the directory": Hostile(MAPPED, _archive_of("../../escaped.xml")),
    "zip, absolute": Hostile(MAPPED, _archive_of("/tmp/escaped.xml")),
    "zip, drive letter": Hostile(MAPPED, _archive_of("C:\\escaped.xml")),
    "zip, two of one name": Hostile(MAPPED, _archive_of("same.xml", "same.xml")),
    "tar, link to a file": Hostile(
        "there are no XML files", _plain_tar(_member("hostile.xml", tarfile.SYMTYPE, target="/etc/passwd"))
    ),
    "tar, device": Hostile("there are no XML files", _plain_tar(_member("hostile.xml", tarfile.CHRTYPE))),
    "tar, pipe": Hostile("there are no XML files", _plain_tar(_member("hostile.xml", tarfile.FIFOTYPE))),
}
