"""Fuzzed documents: each depends on its seed only, so that a failure can be reproduced."""

from collections.abc import Iterator
from functools import cache
from itertools import islice
from random import Random
from typing import NamedTuple

from tests.fuzz.edge_values import edge_value
from tests.fuzz.encodings import cut, spoilt, with_prolog, written
from tests.fuzz.every_type import NAME, every_type_document
from tests.fuzz.markup import Markup, markup_of
from tests.fuzz.structure import MUTATIONS, splice
from xml_extractor.samples import samples

CORPORA = ("card_application", "card_application_whole", "ubl_invoice", NAME)
"""Kinds of documents, and the contract that maps each; `_whole` is the contract without `read_until`."""

_SAMPLES = 40
_KEPT = 12


class FuzzedDocument(NamedTuple):
    """A document, and the name of its contract in `CORPORA`."""

    corpus: str
    content: bytes | str


def fuzzed_document(seed: int) -> FuzzedDocument:
    """Return the document of a seed."""
    random = Random(seed)
    corpus = random.choice(CORPORA)
    content = _content(corpus, random)
    if isinstance(content, bytes) and random.random() < 0.12:
        content = spoilt(content, random) if random.random() < 0.7 else cut(content, random)
    return FuzzedDocument(corpus, content)


def _content(corpus: str, random: Random) -> bytes | str:
    if random.random() < 0.03:
        return random.choice(
            (random.randbytes(random.randrange(2000)), edge_value(random), b"<" + random.randbytes(99))
        )
    markup = _base(corpus, random)
    if not markup:
        return every_type_document(random).encode(errors="surrogatepass")
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 8))):
        random.choice(MUTATIONS)(markup, random)
        markup = markup or [""]
    if random.random() < 0.05:
        markup = splice(markup, _base(random.choice(CORPORA[:3]), random), random)
    text = "".join(markup)
    return written(with_prolog(text, random) if random.random() < 0.1 else text, random)


def _base(corpus: str, random: Random) -> Markup:
    """Return a valid document; of the corpus `every_type` one in four, because the others are unusual already."""
    if corpus == NAME:
        return markup_of(every_type_document(random)) if random.random() < 0.25 else []
    return [*random.choice(_good_documents(corpus.removesuffix("_whole")))]


@cache
def _good_documents(kind: str) -> tuple[Markup, ...]:
    return tuple(islice(_small_documents(kind), _KEPT))


def _small_documents(kind: str) -> Iterator[Markup]:
    """Return sample documents, mostly small ones, because large ones repeat the same structures."""
    made = sorted(samples(kind, _SAMPLES), key=lambda sample: len(sample.content or b""))
    for sample in made:
        yield markup_of((sample.content or b"").decode())
