"""Encode documents in many ways, and damage their bytes."""

from random import Random

DOCTYPES = (
    *(
        "<!DOCTYPE x>",
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE x [<!ENTITY e "x">]>',
        "<!DOCTYPE x [",
    ),
    *(
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
        "<!DOCTYPE x [<!ELEMENT x ANY>]>",
        "<!doctype html>",
    ),
    '<!DOCTYPE x [<!ATTLIST Application priority CDATA "1" source CDATA #FIXED "y">]>',
)
DECLARATIONS = (
    *("", "<?xml?>", "<?xml version='1.1'?>", "<?xml version='1.0' standalone='maybe'?>", "<?xml version='1.0'", "\n"),
    *("<?xml version='2.0'?>", "<?xml encoding='utf-8'?>", "<?XML version='1.0'?>", " <?xml version='1.0'?>", "\ufeff"),
    *("<!-- x -->", "<?x y?>", "text", "\x00", "]]>", "</x>", "<x/>"),
)
DECLARED = (
    *("utf-8", "UTF-16", "utf-16le", "ucs-2", "iso-8859-1", "windows-1252", "us-ascii", "shift_jis", "gb18030", "big5"),
    *("utf-7", "cp037", "ebcdic-cp-us", "utf-32", "unknown", "rot13", "base64", "zlib", "idna", "", "x" * 2000, "é"),
)
WRITTEN = (
    *("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp1252", "latin-1", "shift_jis"),
    *("gb18030", "utf-7", "cp037", "utf-8"),
)


def with_prolog(document: str, random: Random) -> str:
    """Replace the XML declaration, or add a DOCTYPE."""
    body = document.partition("?>")[2] if document.startswith("<?xml") else document
    kind = random.randrange(4)
    if kind == 0:
        return random.choice(DECLARATIONS) + body
    if kind == 1:
        return random.choice(DOCTYPES) + body
    declaration = f'<?xml version="1.0" encoding="{random.choice(DECLARED)}"?>'
    return declaration + (random.choice(DOCTYPES) if kind == 2 else "") + body


def written(document: str, random: Random) -> bytes | str:
    """Return the document as bytes of some encoding, or as text, as databases return it."""
    chance = random.random()
    if chance < 0.75:
        return document.encode(errors="surrogatepass")
    if chance < 0.85:
        return document
    encoding = random.choice(WRITTEN)
    if random.random() < 0.5 and document.startswith("<?xml"):
        document = f'<?xml version="1.0" encoding="{encoding}"?>' + document.partition("?>")[2]
    return document.encode(encoding, errors=random.choice(("replace", "ignore", "xmlcharrefreplace")))


def spoilt(content: bytes, random: Random) -> bytes:
    """Change, remove, repeat or insert some bytes."""
    spoilt = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 5, 50))):
        place = random.randrange(len(spoilt) + 1)
        length = random.choice((1, 1, 2, 4, 100))
        match random.randrange(6):
            case 0:
                spoilt[place : place + 1] = bytes([random.randrange(256)])
            case 1:
                del spoilt[place : place + length]
            case 2:
                spoilt[place:place] = random.randbytes(length)
            case 3:
                spoilt[place:place] = spoilt[place : place + length]
            case 4:
                spoilt[place : place + length] = bytes(length)
            case _:
                if place < len(spoilt):
                    spoilt[place] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def cut(content: bytes, random: Random) -> bytes:
    """Return only the beginning, or only the end."""
    place = random.randrange(len(content) + 1)
    return content[:place] if random.random() < 0.8 else content[place:]
