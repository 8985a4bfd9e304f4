"""What bytes are by how they begin: containers of documents, XML, or something else that has a name; and encodings.

Names of files do not decide: archives are renamed, and files that are not XML are delivered as `.xml`.
"""

import codecs
import re
import tarfile
from enum import StrEnum
from functools import cache

HEAD = 1024
"""How many bytes are enough to recognize a content."""

SHORT_HEAD = 6
"""How many bytes are enough to recognize a compressed stream."""


class Kind(StrEnum):
    """A content that can hold documents; the value names it in messages."""

    GZIP = "a gzip stream"
    BZIP2 = "a bzip2 stream"
    XZ = "an xz stream"
    ZIP = "a zip archive"
    TAR = "a tar archive"
    XML = "XML"


ARCHIVES = (Kind.ZIP, Kind.TAR)

_COMPRESSED = ((b"\x1f\x8b", Kind.GZIP), (b"BZh", Kind.BZIP2), (b"\xfd7zXZ\0", Kind.XZ))
COMPRESSED = tuple(start for start, _ in _COMPRESSED)
"""How compressed streams begin; no XML document begins so."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_XML = re.compile(rb"[ \t\r\n]*<[?!A-Za-z_:\x80-\xff]")
_WITHOUT_MARK = (b"<\0", b"\0<", b"\xff\xfe\0\0<", b"\0\0\xfe\xff", b"\0\0\0<")

_SIGNATURES = {
    b"%PDF-": "a PDF document",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"RIFF": "an image, a sound or a film",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an Office document in the old binary format, such as .xls, .doc or .msg",
    b"SQLite format 3\0": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"Obj\x01": "an Avro file",
    b"\x89HDF": "an HDF5 file",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"MSCF": "a cabinet archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard stream",
    b"\x04\x22\x4d\x18": "an LZ4 stream",
    b"\x1f\x9d": "a stream of compress(1)",
    b"\x7fELF": "a program",
    b"MZ": "a Windows program",
    b"{\\rtf": "an RTF document",
    b"%!PS": "a PostScript document",
    b"-----BEGIN ": "an encoded key or an encrypted message",
    b"Salted__": "a file encrypted by OpenSSL",
    b"MSH|": "an HL7 version 2 message",
    b"ISA*": "an EDI X12 interchange",
    b"UNA:+": "an EDIFACT interchange",
    b"UNB+": "an EDIFACT interchange",
    b"version https://git-lfs": "a pointer of Git LFS",
    b"\0\x05\x16\x07": "an AppleDouble file of macOS",
    b"PD94bWwg": "XML in Base64",
    b"H4sIA": "a gzip stream in Base64",
}
_JSON = re.compile(rb"[ \t\r\n]*(?:\{[ \t\r\n]*[\"}]|\[[ \t\r\n]*(?:[\[\]{\"\-0-9]|true|false|null))")
_OFFICE = {b"xl/": "an Excel workbook", b"word/": "a Word document", b"ppt/": "a PowerPoint presentation"}


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of a content; None if it is none that can hold documents.

    Args:
        head: The content, or its first `HEAD` bytes.
    """
    if head.startswith(_ZIP):
        return Kind.ZIP
    compressed = next((kind for start, kind in _COMPRESSED if head.startswith(start)), None)
    if compressed is not None:
        return compressed
    if b"\0" in head[: tarfile.BLOCKSIZE] and _is_tar(head):
        return Kind.TAR
    return Kind.XML if is_xml(head) else None


def is_xml(head: bytes) -> bool:
    """Return whether a content begins as XML does, in any encoding of Unicode or one that has ASCII."""
    text = _without_mark(head)
    return _XML.match(text) is not None or text.startswith(_WITHOUT_MARK)


def is_compressed(head: bytes) -> bool:
    """Return whether a content is a compressed stream; `SHORT_HEAD` bytes are enough."""
    return head.startswith(COMPRESSED)


def other_content(content: bytes | str) -> str:
    """Return the name of a content that is not XML, such as `a PDF document`; empty if it is XML or not known.

    Args:
        content: A document, or its first `HEAD` bytes.
    """
    data = content[:HEAD].encode(errors="replace") if isinstance(content, str) else content
    kind = kind_of(data[:HEAD])
    if kind is Kind.ZIP:
        return _zip_content(data)
    if kind is not None and kind is not Kind.XML:
        return kind.value
    if data and not data[:HEAD].strip(b"\0"):
        return "zero bytes, as in a file that was not written completely"
    text = _without_mark(data[:HEAD])
    if _JSON.match(text):
        return "JSON"
    return next((name for start, name in _SIGNATURES.items() if text.startswith(start)), "")


def office_content(names: list[str]) -> str:
    """Return what a zip archive is that a program uses as its file format; empty for an ordinary archive.

    Args:
        names: The names of its members.
    """
    if "[Content_Types].xml" in names:
        parts = {name.partition("/")[0].encode() + b"/" for name in names}
        return next((name for part, name in _OFFICE.items() if part in parts), "an Office document")
    if names[:1] == ["mimetype"]:
        return "an OpenDocument or EPUB file"
    return "a Java archive" if "META-INF/MANIFEST.MF" in names else ""


def _zip_content(data: bytes) -> str:
    if b"[Content_Types].xml" not in data:
        return Kind.ZIP.value
    return next((name for part, name in _OFFICE.items() if part in data), "an Office document")


def _is_tar(head: bytes) -> bool:
    block = head[: tarfile.BLOCKSIZE]
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _without_mark(head: bytes) -> bytes:
    """Return the start of a text as UTF-8, if a byte order mark says what it is in."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace").encode("utf-8", "replace")
    return head


_UNICODE = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
_UCS_NAME = re.compile(r"(?:csunicode|ucs-?[24]|iso-10646-ucs-[24]|unicode)", re.IGNORECASE)
_ONE_BYTE = (
    *(f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))),
    *(f"cp{page}" for page in (437, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 874)),
    *(f"cp{page}" for page in range(1250, 1259)),
    "koi8-r",
    "koi8-u",
    "mac-roman",
    "tis-620",
)
_MULTI_BYTE = ("big5", "cp932", "cp949", "cp950", "euc_jp", "euc_kr", "gb2312", "gbk", "gb18030", "shift_jis")


@cache
def _supported() -> frozenset[str]:
    """Return the encodings that are read. Python also has codecs that decompress or hide a `<`."""
    return frozenset(codecs.lookup(name).name for name in (*_UNICODE, *_ONE_BYTE, *_MULTI_BYTE))


def encoding_named(name: str) -> str:
    """Return Python's name of an encoding that documents may have; empty if there is no such encoding."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return ""
    return found if found in _supported() else ""


def is_unicode(name: str) -> bool:
    """Return whether a declaration names ASCII or an encoding of all of Unicode, which the bytes must confirm."""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return _UCS_NAME.fullmatch(name) is not None
    return found == "ascii" or found in _UNICODE
