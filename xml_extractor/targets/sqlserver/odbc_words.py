"""ODBC connection strings: `KEYWORD=value;KEYWORD={value with ; or }}}`.

Sources: "SQLDriverConnect Function", ODBC Programmer's Reference; "DSN and Connection String Keywords and Attributes"
and "SqlConnection.ConnectionString Property", Microsoft Learn.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from xml_extractor.errors import UsageError

SECRETS = ("PWD", "KEYSTORESECRET")
"""Keywords whose value nobody may see."""

_PAIR = re.compile(
    r"\s*(?P<word>[^=;{}]+?)\s*=\s*(?:\{(?P<braced>(?:[^}]|\}\})*)\}|(?P<plain>(?!\{)[^;]*?))\s*(?:;|\Z)"
)
_NEEDS_BRACES = re.compile(r"[\[\]{}(),;?*=!@]|^\s|\s$")
_HOLDS_PASSWORD = re.compile(r"password\s*:", re.IGNORECASE)
"""As in `ClientCertificate=file:a.pfx,password:...`."""

_KEYWORD_LIST = (
    "AnsiNPW APP ApplicationIntent AttachDBFileName Authentication AutoTranslate ClientCertificate ClientKey "
    "ColumnEncryption ConcatNullYieldsNull ConnectRetryCount ConnectRetryInterval Database Description Driver DSN "
    "Encrypt Failover_Partner FailoverPartnerSPN GetDataExtensions HostnameInCertificate IpAddressPreference KeepAlive "
    "KeepAliveInterval KeystoreAuthentication KeystoreLocation KeystorePrincipalId KeystoreSecret Language LongAsMax "
    "MARS_Connection MultiSubnetFailover Net Network PWD QueryLog_On QueryLogFile QueryLogTime QuotedId Regional "
    "Replication RetryExec SaveFile Server ServerCertificate ServerSPN StatsLog_On StatsLogFile "
    "TransparentNetworkIPResolution Trusted_Connection TrustServerCertificate UID UseFMTONLY WSID"
)
_KEYWORDS = {word.upper(): word for word in _KEYWORD_LIST.split()}

_LEAVE_OUT = "leave it out: this program takes care of that"
_INSTEAD = {
    **dict.fromkeys(
        ("DATASOURCE", "ADDRESS", "ADDR", "NETWORKADDRESS", "SERVERNAME", "HOST"), "write SERVER=HOST,PORT"
    ),
    **dict.fromkeys(("PORT", "PORTNUMBER"), "write SERVER=HOST,PORT"),
    "NETWORKLIBRARY": "write SERVER=tcp:HOST,PORT",
    **dict.fromkeys(("INITIALCATALOG", "DATABASENAME"), "write DATABASE"),
    **dict.fromkeys(("USERID", "USER", "USERNAME"), "write UID"),
    "PASSWORD": "write PWD",
    "INTEGRATEDSECURITY": "write Trusted_Connection=yes",
    "APPLICATIONNAME": "write APP",
    "WORKSTATIONID": "write WSID",
    "CURRENTLANGUAGE": "write Language",
    "COLUMNENCRYPTIONSETTING": "write ColumnEncryption",
    "FILEDSN": "write DSN, or the words that are in the file",
    "PROVIDER": "write DRIVER, or leave it out",
    **dict.fromkeys(("POOLING", "MAXPOOLSIZE", "MINPOOLSIZE", "CONNECTIONLIFETIME", "LOADBALANCETIMEOUT"), _LEAVE_OUT),
    **dict.fromkeys(("MULTIPLEACTIVERESULTSETS", "PERSISTSECURITYINFO", "PACKETSIZE", "ENLIST"), _LEAVE_OUT),
    **dict.fromkeys(("CONNECTTIMEOUT", "CONNECTIONTIMEOUT", "LOGINTIMEOUT", "TIMEOUT", "COMMANDTIMEOUT"), _LEAVE_OUT),
}
"""What to do instead of words of ADO.NET, OLE DB and JDBC, or of others that the driver takes for something else.

The driver passes over words that it does not know without a word, and takes ADDRESS for more important than SERVER.
"""


def read_connection_string(text: str) -> dict[str, str]:
    """The values by keyword in upper case; of a keyword that is there twice the first counts, as in ODBC.

    Raises:
        ValueError: It is no connection string; the message does not repeat it.
    """
    words: dict[str, str] = {}
    position = 0
    text = text.strip().rstrip(";")
    while position < len(text):
        found = _PAIR.match(text, position)
        if found is None:
            raise ValueError(f"character {position + 1} of the connection string begins no KEYWORD=value")
        value = found["plain"] if found["braced"] is None else found["braced"].replace("}}", "}")
        words.setdefault(found["word"].upper(), value)
        position = found.end()
    return words


def write_connection_string(words: Mapping[str, str]) -> str:
    """The connection string of values by keyword."""
    return ";".join(f"{word}={_written(value)}" for word, value in words.items())


def see_that_words_are_odbc(words: Iterable[str]) -> None:
    """Refuse words of other connection strings and misspelt ones, which the driver would pass over without a word.

    Words that are like no other are left to the driver.

    Raises:
        UsageError: Says which keyword is meant. An unknown word is not repeated: it may be a part of a value.
    """
    instead = {_plain(word): f"did you mean {word}?" for word in _KEYWORDS.values()} | _INSTEAD
    for word in words:
        plain = _plain(word)
        if word.upper() in _KEYWORDS:
            continue
        if plain in _INSTEAD:
            raise UsageError(f"{word} is no keyword of an ODBC connection string", _INSTEAD[plain])
        near = get_close_matches(plain, instead, n=1, cutoff=0.85)
        if near:
            raise UsageError("a keyword of the ODBC connection string is misspelt", instead[near[0]])


def is_secret(word: str, value: str) -> bool:
    """Whether nobody may see the value of a keyword, in upper case."""
    return bool(value) and (word in SECRETS or _HOLDS_PASSWORD.search(value) is not None)


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]", "", word).upper()


def _written(value: str) -> str:
    return f"{{{value.replace('}', '}}')}}}" if _NEEDS_BRACES.search(value) else value
