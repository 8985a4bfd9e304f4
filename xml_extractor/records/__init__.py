"""Records: documents that share a file with others.

`source.RecordSource` makes a source of records of a source of files. It lists the records of a file, with their byte
ranges, while it scans the file, and fetches a record by its range, so that all workers share one file.
"""

from xml_extractor.records.source import RecordSource, open_documents

__all__ = ["RecordSource", "open_documents"]
