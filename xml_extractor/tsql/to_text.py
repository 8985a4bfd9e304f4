"""Conversions to text, `uniqueidentifier` and `xml`.

Source: "CAST and CONVERT (Transact-SQL)", Microsoft Learn, with its table of results that are too short to display.
"""

import re
from collections.abc import Callable

from xml_extractor.tsql.codepage import text_fitter
from xml_extractor.tsql.numeric import not_a, overflow, text_of_float, text_of_money
from xml_extractor.tsql.request import Request
from xml_extractor.tsql.result_types import is_unicode
from xml_extractor.tsql.temporal_format import moment_writer
from xml_extractor.tsql.typed import Kernel
from xml_extractor.values.sqltypes import MAX, Family


def _text_to_text(request: Request) -> Kernel:
    return text_fitter(request.source, request.target, strict=request.strict)


_GUID = re.compile(r"\{?([0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12})")


def _text_to_guid(request: Request) -> Kernel:
    target = request.target

    def convert(text: str) -> str:
        found = _GUID.match(text)
        if found is None or (text[0] == "{") != text.startswith("}", found.end()):
            raise not_a(target)
        return found[1].upper()

    return convert


def _as_it_is(_request: Request) -> Kernel:
    return lambda value: value


def _written(write: Callable[..., str], request: Request, when_too_long: str = "overflow") -> Kernel:
    """Writes a value and brings it into the text type; a number that is too long is no number any more."""
    target, length = request.target, request.target.length
    fit = text_fitter(target, target, strict=request.strict)
    stars = when_too_long == "*" and not is_unicode(target) and not request.strict

    def convert(value: object) -> str:
        text = write(value)
        if length != MAX and len(text) > length:
            if stars:
                return fit("*")
            raise overflow(target)
        return fit(text)

    return convert


def _integer_to_text(request: Request) -> Kernel:
    return _written(lambda number: str(int(number)), request, "overflow" if request.source.name == "bigint" else "*")


def _decimal_to_text(request: Request) -> Kernel:
    return _written(lambda number: format(number, "f"), request)


def _money_to_text(request: Request) -> Kernel:
    style = request.style or 0
    return _written(lambda amount: text_of_money(amount, style), request)


def _float_to_text(request: Request) -> Kernel:
    style, real = request.style or 0, request.source.name == "real"
    return _written(lambda number: text_of_float(number, style, real=real), request)


def _moment_to_text(request: Request) -> Kernel:
    write = moment_writer(request.source, request.style)
    fit = text_fitter(request.target, request.target, strict=request.strict)
    return lambda moment: fit(write(moment))


def _guid_to_text(request: Request) -> Kernel:
    return _written(str, request)


KERNELS: dict[tuple[Family, Family], Callable[[Request], Kernel]] = {
    (Family.TEXT, Family.TEXT): _text_to_text,
    (Family.TEXT, Family.GUID): _text_to_guid,
    (Family.TEXT, Family.XML): _as_it_is,
    (Family.XML, Family.XML): _as_it_is,
    (Family.XML, Family.TEXT): _text_to_text,
    (Family.BIT, Family.TEXT): _integer_to_text,
    (Family.INTEGER, Family.TEXT): _integer_to_text,
    (Family.DECIMAL, Family.TEXT): _decimal_to_text,
    (Family.MONEY, Family.TEXT): _money_to_text,
    (Family.FLOAT, Family.TEXT): _float_to_text,
    (Family.DATE, Family.TEXT): _moment_to_text,
    (Family.TIME, Family.TEXT): _moment_to_text,
    (Family.DATETIME, Family.TEXT): _moment_to_text,
    (Family.OFFSET, Family.TEXT): _moment_to_text,
    (Family.GUID, Family.TEXT): _guid_to_text,
}
"""Makes the function for a conversion to text."""
