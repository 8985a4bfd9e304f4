"""Files of the file systems that Spark reads by Hadoop, at addresses such as `hdfs://` and `s3a://`.

The driver lists them, and copies an archive or a file of records to look into it. Executors have no Java of their own:
Spark hands them whole files (`read_files`), which they keep in a local directory for as long as they process them.

Source: Hadoop's `FileSystem` and `FileStatus`, and `SparkContext.binaryFiles`.
"""

import errno
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import IO, Any, Literal

from xml_extractor.errors import SourceError, UsageError
from xml_extractor.escaping import escaped

LARGEST = 2**31 - 2**20
"""Bytes of a file at most: it is an array of Java on its way to Python."""

_HEAD = 2**16
"""Bytes of a file that are read without a copy, to see what it is."""

_HIDDEN = ("_", ".")
"""Hadoop's input formats do not read files whose names begin so."""

_SPECIAL = re.compile(r"[,{}\[\]*?\\]")
"""Characters that mean something in a list of patterns. Another pattern character stands for them."""

_ERRORS = {
    "FileNotFoundException": errno.ENOENT,
    "AccessControlException": errno.EACCES,
}
"""By class of exception; all others are errors of the file system, such as of its network."""


def active_spark() -> Any:
    """Return the Spark context of this process, if it is the driver of an application; otherwise None."""
    pyspark = sys.modules.get("pyspark")
    return None if pyspark is None else pyspark.SparkContext._active_spark_context  # noqa: SLF001 - no public way


class HadoopPath:
    """The path of a file or directory, with those of the methods of `pathlib.Path` that sources need.

    Args:
        address: The path, with scheme and authority.
        system: The file system, if it is known.

    Raises:
        UsageError: Spark has no such file system.
    """

    def __init__(self, address: str, system: Any = None) -> None:
        self._address = address
        scheme, _, rest = address.partition("://")
        authority, _, path = rest.partition("/")
        if ":" in authority.rpartition("@")[0]:
            tip = "give it to the configuration of Spark"
            raise UsageError("the address of files must not hold a password", tip)
        self._base = f"{scheme}://{authority}/"
        self._parts = [part for part in path.split("/") if part]
        self._spark = active_spark()
        try:
            self._path = self._jvm.fs.Path(address)
            self._system = system or self._path.getFileSystem(self._spark._jsc.hadoopConfiguration())  # noqa: SLF001
        except _java_error() as error:
            raise UsageError(
                f"Spark cannot use {escaped(scheme)} addresses: {_what(error)}",
                "check the address, and give Spark the package and the settings of that file system",
            ) from None

    @property
    def _jvm(self) -> Any:
        return self._spark._jvm.org.apache.hadoop  # noqa: SLF001 - there is no public way

    def __str__(self) -> str:
        return self._address

    def __truediv__(self, name: str, /) -> "HadoopPath":
        return HadoopPath(f"{self._base}{'/'.join([*self._parts, name])}", self._system)

    @property
    def name(self) -> str:
        """The last part."""
        return self._parts[-1] if self._parts else ""

    @property
    def parent(self) -> "HadoopPath":
        """The directory that it is in; that of the root is the root."""
        return HadoopPath(self._base + "/".join(self._parts[:-1]), self._system)

    def exists(self) -> bool:
        """Return whether it exists."""
        return bool(self._asked(self._system.exists))

    def is_dir(self) -> bool:
        """Return whether it is an existing directory."""
        return bool(self._asked(self._system.isDirectory))

    def is_file(self) -> bool:
        """Return whether it is an existing file."""
        return bool(self._asked(self._system.isFile))

    def prefix(self) -> str:
        """Return what Hadoop's addresses of the files below this directory begin with."""
        return str(self._asked(self._system.makeQualified).toString()).rstrip("/") + "/"

    def _asked(self, question: Callable[[Any], Any]) -> Any:
        try:
            return question(self._path)
        except _java_error() as error:
            message = f"{escaped(self._address)} cannot be read: {_what(error)}"
            raise SourceError(message, "check the address, the file system, and your permissions there") from None

    def open(self, _mode: Literal["rb"]) -> IO[bytes]:
        """Open it. It is copied to the local disk once more than its beginning is read; closing deletes the copy.

        Raises:
            OSError: It cannot be read.
        """
        return BufferedReader(_File(self), _HEAD)

    def head(self) -> bytes:
        """Return the first bytes."""
        with _errors():
            stream = self._system.open(self._path)
            try:
                return bytes(stream.readNBytes(_HEAD))
            finally:
                stream.close()

    def copy(self) -> IO[bytes]:
        """Return a copy on the local disk, without a name there."""
        with tempfile.TemporaryDirectory(prefix="xml_extractor_") as directory:
            local = os.path.join(directory, "copy")  # noqa: PTH118 - it is a text for Java
            with _errors():
                self._system.copyToLocalFile(False, self._path, self._jvm.fs.Path(f"file://{local}"), True)
            return Path(local).open("rb")

    def files(self, matches: Callable[[str], bool], *, is_recursive: bool) -> Iterator[tuple[str, float]]:
        """Yield the names of the files below this directory that match, and when they were modified.

        Raises:
            SourceError: The directory cannot be read, or a file is too large.
        """
        prefix = self.prefix()
        found = self._asked(lambda path: self._system.listFiles(path, is_recursive))
        while self._asked(lambda _: found.hasNext()):
            status = found.next()
            name = str(status.getPath().toString()).removeprefix(prefix)
            if not name.rpartition("/")[2].startswith(_HIDDEN) and matches(name):
                if status.getLen() > LARGEST:
                    tip = "split it, or name its path below a directory where all executors mount the file system"
                    raise SourceError(f"{escaped(name)} has more than 2 GiB, which Spark does not hand over", tip)
                yield name, status.getModificationTime() / 1000


class _File(RawIOBase):
    """A file for reading: its beginning, and a copy of all of it once more is read."""

    def __init__(self, path: HadoopPath) -> None:
        self._path = path
        head = path.head()
        self._file: IO[bytes] = BytesIO(head)
        self._is_all = len(head) < _HEAD

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer."""
        piece = self._file.read(len(buffer))
        if not piece and not self._is_all:
            self._use_copy()
            piece = self._file.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def seek(self, position: int, whence: int = 0, /) -> int:
        """Go to a position."""
        if not self._is_all and (whence == os.SEEK_END or position > _HEAD):
            self._use_copy()
        return self._file.seek(position, whence)

    def close(self) -> None:
        """Close it, and delete the copy."""
        self._file.close()
        super().close()

    def _use_copy(self) -> None:
        position, self._file, self._is_all = self._file.tell(), self._path.copy(), True
        self._file.seek(position)


def read_files(root: HadoopPath, groups: Sequence[Sequence[str]]) -> tuple[str, Any]:
    """Return an RDD with a partition for each group of files, whose elements are their addresses and contents.

    Before it, what the addresses begin with, and the names do not.

    Args:
        root: The directory that the names are relative to.
        groups: The names. Files that do not exist any more are left out.
    """
    spark, prefix = active_spark(), root.prefix()

    def read(names: Sequence[str]) -> Any:
        # What a pattern matches besides is read in vain.
        paths = ",".join(_SPECIAL.sub("?", prefix + name) for name in names)
        found = spark.binaryFiles(paths, 1).coalesce(1)
        found.getNumPartitions()
        return found

    def of_group(names: Sequence[str]) -> Any:
        try:
            return read(names)
        except _java_error():
            left = [name for name in names if (root / name).exists()]
            return read(left) if left else spark.parallelize([], 1)

    return prefix, spark.union([of_group(names) for names in groups])


@contextmanager
def kept_files(files: Iterable[tuple[str, bytes]], prefix: str, directory: Path) -> Iterator[None]:
    """Write files into a local directory, and delete them after the block.

    Args:
        files: Their addresses and contents.
        prefix: What the addresses begin with, and the names in the local directory do not.
        directory: The local directory.
    """
    written = []
    try:
        for address, content in files:
            path = directory / address.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            written.append(path)
            path.write_bytes(content)
        yield
    finally:
        for path in written:
            path.unlink(missing_ok=True)


def _java_error() -> type[Exception]:
    """Return the class of exceptions of Java."""
    kind: type[Exception] = import_module("py4j.protocol").Py4JJavaError
    return kind


def _kind(error: Any) -> str:
    """Return the class of an exception of Java, without its package."""
    return str(error.java_exception.getClass().getSimpleName())


def _what(error: Any) -> str:
    """Return the first line of an exception of Java."""
    return str(error.java_exception.getMessage() or _kind(error)).partition("\n")[0]


@contextmanager
def _errors() -> Iterator[None]:
    """Raise exceptions of Java as `OSError`."""
    try:
        yield
    except _java_error() as error:
        is_full = "No space left" in _what(error)
        raise OSError(errno.ENOSPC if is_full else _ERRORS.get(_kind(error), errno.EIO), _what(error)) from None
