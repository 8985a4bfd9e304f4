"""A run on Apache Spark: executors do what the worker processes of one machine do.

The driver lists key pages and makes partitions of them. Each task processes a partition by a coordinator of its own,
with one worker process that loads what it maps over its own connections. Spark decides where and how often a task
runs. The processing log decides what is done: a task that is executed twice finds the rows of the first attempt there.
Only the result that Spark hands to the driver, one for each partition, is counted.

Source: "Job Scheduling" and "RDD Programming Guide", Apache Spark.
"""

import logging
import os
import queue
import shutil
import signal
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Self

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException

from xml_extractor.documents import DocumentKey, RecordKey, Replaced
from xml_extractor.errors import RunError, UsageError, XmlExtractorError
from xml_extractor.processing.chunks import LARGE_CHUNK, Chunk, RunContext, select
from xml_extractor.processing.parallel_coordinator import ParallelCoordinator
from xml_extractor.processing.spark_tasks import PartitionResult, process_files, process_partitions
from xml_extractor.processing.worker_supervisor import RESUME_TIP
from xml_extractor.settings import RejectLimit, RunSettings
from xml_extractor.sources.files import STANDARD_INPUT
from xml_extractor.sources.hadoop import active_spark, read_files
from xml_extractor.sources.interfaces import KeyPage
from xml_extractor.sources.registry import is_of_hadoop
from xml_extractor.sources.selection import FilesOfKeys
from xml_extractor.stopping import STOP_SIGNALS, stop_requests
from xml_extractor.targets.parquet.address import LOG_TARGET_KEY
from xml_extractor.targets.registry import PARQUET, read_url

logger = logging.getLogger(__name__)

PARTITIONS_PER_CORE = 2
"""Partitions of a job for each core, so that the cores end at about the same time."""

JOBS_IN_FLIGHT = 2
"""Jobs that are submitted at once, so that no core waits for the last task of a job. The oldest of them ends before the
next is submitted: of two documents with rows of one key that are further apart, always the earlier one is loaded."""

SHORT_TASK_SECONDS = 2.0
"""A task that takes less gets twice the documents in later jobs: each task costs Java tens of milliseconds of CPU."""

MAX_CARRIED_BYTES = 2**25
"""Bytes of records that travel with their keys, in a job: Java holds them, and all of them are on their way at once."""

SQLITE = "sqlite"
GATEWAY = "PYSPARK_GATEWAY_PORT"
"""The environment variable by which spark-submit connects this process with its own."""

POLL_SECONDS, LONGEST_EXPLANATION = 0.1, 200


class SparkCoordinator(ParallelCoordinator):
    """Hands documents to the executors of Spark and counts their outcomes.

    A context manager, as its base class, within the block of `application`.
    """

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            self._stop = parts.enter_context(stop_requests())
            self._spark = active_spark()
            address = self._context.source_address
            self._files = FilesOfKeys(address) if is_of_hadoop(address) else None
            only = None if self._files is None else self._files.only
            self._shared = self._spark.broadcast(_of_executors(self._context, only))
            self._jobs = parts.enter_context(ThreadPoolExecutor(JOBS_IN_FLIGHT, "job"))
            parts.push(self._cancel_jobs)
            self._parts = parts.pop_all()
        self._results: queue.SimpleQueue[list[PartitionResult] | BaseException] = queue.SimpleQueue()
        self._in_flight = 0
        self._submitted: deque[Future[None]] = deque()
        self._work: Counter[str] = Counter()
        return self

    def process_xml_batch(
        self,
        pages: Iterable[KeyPage],
        logged_keys: Callable[[Sequence[str]], set[str]],
        replaced: Callable[[Sequence[DocumentKey]], Mapping[DocumentKey, Replaced]] = lambda _: {},
        is_retried: Callable[[DocumentKey], bool] = lambda _: False,
    ) -> None:
        """Load all documents that are not done yet; see the base class.

        Raises:
            RunError: The run cannot continue, or a document is missing at its end.
            KeyboardInterrupt: The run was asked to stop twice.
        """
        settings = self._settings
        waiting: list[DocumentKey] = []
        carried = 0
        at_once = self._documents_of_job()
        # 1. List key pages, and drop the keys that are already done.
        for selection in select(pages, logged_keys, settings.shard, settings.limit, is_retried):
            self.statistics.skip(selection.done)
            # 2. Make jobs of as many documents as the cores need, and of whole files if Spark reads them.
            for key in selection.keys:
                is_full = len(waiting) >= at_once or carried >= MAX_CARRIED_BYTES
                if is_full and self._file_of(key) != self._file_of(waiting[-1]):
                    self._submit_job(waiting, replaced)
                    waiting, carried = [], 0
                    self._poll_while(self._has_no_room)
                    at_once = self._documents_of_job()
                if self._is_ending:
                    break
                waiting.append(key)
                carried += len(key.place.content or b"") if isinstance(key, RecordKey) else 0
            self._poll_while(lambda: not self._results.empty())
            if self._is_ending:
                break
        if waiting and not self._is_ending:
            self._submit_job(waiting, replaced)
        # 3. Each job is counted when all its documents are committed or rejected.
        self._poll_while(lambda: self._in_flight > 0)
        for executor, documents in sorted(self._work.items()):
            logger.info("Executor %s: documents=%d", executor, documents)
        if not self.interrupted:
            self._check_accounts()

    @property
    def _partitions(self) -> int:
        """The partitions of a job: executors may register, and end, during the run."""
        return int(self._spark.defaultParallelism) * PARTITIONS_PER_CORE

    def _documents_of_job(self) -> int:
        return self._partitions * (self._chunk_size or 1)

    def _file_of(self, key: DocumentKey) -> DocumentKey:
        """Return what cannot be divided between partitions: a file that Spark reads, or else the document."""
        return key if self._files is None else self._files.file_of(key)

    def _submit_job(
        self,
        keys: Sequence[DocumentKey],
        replaced: Callable[[Sequence[DocumentKey]], Mapping[DocumentKey, Replaced]],
    ) -> None:
        chunks: list[Chunk] = []
        part: list[DocumentKey] = []
        partitions = self._partitions
        for _, of_file in groupby(keys, self._file_of):
            part += of_file
            if len(part) * partitions >= len(keys):
                chunks.append(self._chunks.hand_out(tuple(part), replaced(part)))
                part = []
        if part:
            chunks.append(self._chunks.hand_out(tuple(part), replaced(part)))
        self.statistics.seen += len(keys)
        self._in_flight += 1
        self._submitted.append(self._jobs.submit(self._run_job, chunks))

    def _has_no_room(self) -> bool:
        while self._submitted and self._submitted[0].done():
            self._submitted.popleft()
        return len(self._submitted) >= JOBS_IN_FLIGHT

    def _run_job(self, chunks: Sequence[Chunk]) -> None:
        try:
            if self._files is None:
                partitions = self._spark.parallelize(chunks, len(chunks))
                results = partitions.mapPartitions(partial(process_partitions, self._shared))
            else:
                names = [sorted({self._files.file_of(key) for key in chunk.keys}) for chunk in chunks]
                prefix, files = read_files(self._files.root, names)
                results = files.mapPartitionsWithIndex(partial(process_files, self._shared, prefix, chunks))
            self._results.put(results.collect())
        except BaseException as error:  # noqa: BLE001 - raised by the main thread
            self._results.put(error)

    def _poll_while(self, condition: Callable[[], bool]) -> None:
        """Handle results while a condition holds, and once in any case."""
        while True:
            with self._stop.deferred():
                self._handle_results()
            self._announce_stop()
            self.statistics.series.sample(self.statistics.processed, None)
            self._on_poll()
            if not condition():
                return

    def _handle_results(self) -> None:
        try:
            results = self._results.get(timeout=POLL_SECONDS if self._in_flight else 0)
        except queue.Empty:
            return
        self._in_flight -= 1
        if isinstance(results, BaseException):
            raise _run_error(results)
        # The first task of an executor also starts its processes: the shortest one did not.
        if self._chunk_size is not None and min(result.seconds for result in results) < SHORT_TASK_SECONDS:
            self._chunk_size = min(2 * self._chunk_size, LARGE_CHUNK)
        for result in results:
            self._work[result.executor] += len(result.outcomes)
            self.statistics.stage_seconds.update(result.stage_seconds)
            self.statistics.note_slow(result.slowest)
            self._chunks.reported(result.sequence)
            if result.failure is None:
                self._finish(result.sequence, result.outcomes)
        failure = next((result.failure for result in results if result.failure is not None), None)
        if failure is not None:
            raise failure.exception()

    def _announce_stop(self) -> None:
        if self.interrupted and not self._stop_is_announced:
            self._stop_is_announced = True
            logger.warning("Stop requested: finishing documents in flight; a second signal stops at once")

    def _cancel_jobs(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._spark.cancelAllJobs()


def _of_executors(context: RunContext, file: str | None) -> RunContext:
    """Return what executors know: each worker loads by itself, and the driver alone decides when to stop.

    Args:
        context: What the driver knows.
        file: If Spark hands over files: the name of the only one, or empty.
    """
    settings = replace(
        context.settings,
        target=absolute_address(context.settings.target),
        workers=1,
        insert_mode="blocking",
        in_process=False,
        limit=None,
        shard=None,
        key_range=None,
        max_rejects=RejectLimit(),
        max_tolerated=None,
        metrics_dir=None,
        rejects_dir=None,
    )
    address = absolute_address(context.settings.source) if file is None else file
    return replace(context, settings=settings, source_address=address)


def absolute_address(address: str) -> str:
    """Return an address that means the same in every directory: executors have others than the driver."""
    if "://" not in address and not address.startswith(f"{PARQUET}:"):
        return os.path.join(os.getcwd(), address)  # noqa: PTH109, PTH118 - it may be a pattern
    url = read_url(address, "address")
    if url.get_backend_name() not in (SQLITE, PARQUET) or not url.database:
        return address
    log = url.query.get(LOG_TARGET_KEY)
    query = url.query if log is None else {**url.query, LOG_TARGET_KEY: absolute_address(str(log))}
    database = str(Path(url.database).absolute())
    return replace(url, database=database, query=query).render_as_string(hide_password=False)


def check_reachable(settings: RunSettings, master: str) -> None:
    """Check that executors can use source and target, which may be on other machines.

    Raises:
        UsageError: They cannot.
    """
    if settings.source == STANDARD_INPUT:
        raise UsageError("executors of Spark cannot read standard input", "name a path that all of them can read")
    if master.startswith("local"):
        return
    for role, address in (("source", settings.source), ("target", settings.target)):
        kind, _, rest = address.partition(":")
        if kind == SQLITE:
            raise UsageError(
                f"a SQLite file cannot be the {role} of a run on {master}: SQLite needs a local disk",
                "use SQL Server, or files; or run with --master 'local[*]'",
            )
        if kind == PARQUET and LOG_TARGET_KEY not in rest:
            raise UsageError(
                "the processing log of Parquet datasets is in a SQLite file, which other machines cannot write",
                "name a database on a SQL Server with --log-target",
            )


def check_installation() -> None:
    """Check that Java is there, without which Spark ends with a message of its shell script.

    Raises:
        UsageError: It is not.
    """
    home = os.environ.get("JAVA_HOME")
    there = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if there is None and GATEWAY not in os.environ:
        where = "JAVA_HOME names no directory with Java" if home else "there is no Java"
        raise UsageError(f"Apache Spark needs Java, and {where}", "install Java 17, such as openjdk-17-jre-headless")


@contextmanager
def application(settings: RunSettings) -> Iterator[None]:
    """Have an application of Spark in the block: that of this process, or one that ends with the block.

    Raises:
        UsageError: Executors cannot use source or target.
        RunError: Spark cannot be started.
    """
    with ExitStack() as own:
        spark = active_spark()
        if spark is None:
            spark = _started(settings.master)
            own.callback(_end, spark)
        check_reachable(settings, spark.master)
        cores = spark.defaultParallelism
        logger.info("Spark application started (master=%s, cores=%d)", spark.master, cores)
        yield


def _started(master: str | None) -> SparkContext:
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    try:
        SparkContext._ensure_initialized()  # noqa: SLF001 - the configuration of spark-submit is known only then
        conf = SparkConf()
        if master:
            conf.setMaster(master)
        conf.setIfMissing("spark.master", "local[*]")
        conf.setIfMissing("spark.app.name", "xml-extractor")
        conf.set("spark.ui.showConsoleProgress", "false")
        if str(conf.get("spark.master")).startswith("local"):
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            if "PYTHONPATH" in os.environ:
                conf.setIfMissing("spark.executorEnv.PYTHONPATH", os.environ["PYTHONPATH"])
        return SparkContext(conf=conf)
    except (Py4JError, PySparkException, OSError) as error:
        raise _run_error(error, "Spark cannot be started") from None
    finally:
        # Spark answers Ctrl-C in its own way.
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _end(spark: SparkContext) -> None:
    with suppress(Py4JError, OSError):
        spark.stop()


def _run_error(error: BaseException, trouble: str = "Spark ended a job") -> Exception:
    """Return the error that ends the run."""
    if isinstance(error, XmlExtractorError):
        return error
    text = str(error.java_exception.getMessage()) if isinstance(error, Py4JJavaError) else type(error).__name__
    # What follows may quote a document.
    reason = text.partition("\n")[0].partition(", most recent failure")[0][:LONGEST_EXPLANATION]
    return RunError(f"{trouble}: {reason}", f"the log of Spark says more; {RESUME_TIP}")
