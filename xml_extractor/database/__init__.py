"""Sources and targets. Knows no XML."""

from xml_extractor.database.interfaces import Connection, LogEntry, Source, Target
from xml_extractor.database.loader import Loader, LogIdentity
from xml_extractor.database.sources import open_source
from xml_extractor.database.targets import open_target

__all__ = ["Connection", "Loader", "LogEntry", "LogIdentity", "Source", "Target", "open_source", "open_target"]
