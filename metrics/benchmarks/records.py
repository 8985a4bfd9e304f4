"""`python -m metrics.benchmarks.records`: one file with many records, compared with the same records as files."""

import re
from collections.abc import Iterator

from metrics.benchmarks import inputs

SIZE = 13_000
TEMPLATES = 100
GOOD_PER_BAD = 999
OPEN, CLOSE = b'<?xml version="1.0" encoding="UTF-8"?>\n<Samples>\n', b"</Samples>\n"
ID = re.compile(rb'(<(?:CardApplication|Contact) id=")(\d+)(?=")')


def records(count: int) -> Iterator[bytes]:
    """Yield records of about 10 KB with different keys; one in 1,000 has a date that does not exist."""
    found = [inputs.resized(sample, SIZE).content or b"" for sample in inputs.documents(TEMPLATES)]
    templates = [content.partition(b"?>")[2] if content.startswith(b"<?xml") else content for content in found]
    for number in range(1, count + 1):
        old = (number - 1) % TEMPLATES + 1

        def renumbered(tag: re.Match[bytes], old: int = old, new: int = number) -> bytes:
            found = int(tag[2])
            return b"%s%d" % (tag[1], new if found == old else new * 10 + found - old * 10)

        content = ID.sub(renumbered, templates[old - 1])
        if number % (GOOD_PER_BAD + 1) == 0:
            content = re.sub(rb' received="[^"]*"', b' received="2024-02-30T00:00:00.000"', content, count=1)
        yield content
