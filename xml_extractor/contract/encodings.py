"""The encodings of documents."""

import codecs
import re
from functools import cache

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
