"""Sets of options that are compared."""

import pytest

from env_prep.baseline.variants import DEFAULT_OPTIONS, NAMES, Variant, chosen, parse
from xml_extractor.errors import UsageError
from xml_extractor.settings import automatic_workers

PROCESSORS = automatic_workers()


def test_options_that_are_left_out_have_the_defaults_of_the_command() -> None:
    variant = parse("--a", "--workers 2")
    assert variant.options == "--workers 2"
    assert variant.settings == {
        "workers": 2,
        "batch_size": 1000,
        "insert_batch_rows": 500,
        "queue_size": 10000,
        "insert_threads": "auto",
        "insert_mode": "queue",
        "insert_strategy": "auto",
    }
    assert variant.arguments()[:4] == ["--workers", "2", "--batch-size", "1000"]


def test_the_environment_of_the_nightly_run_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XML_EXTRACTOR_WORKERS", str(PROCESSORS + 1))
    assert parse("--a", "").settings["workers"] == PROCESSORS


@pytest.mark.parametrize(
    "text", ["--target sqlite:///production.db", "--workers", "--workers 0", "two", "--workers '2"]
)
def test_other_options_are_refused_with_those_that_are_possible(text: str) -> None:
    with pytest.raises(UsageError, match=r"--a .* cannot be used") as error:
        parse("--a", text)
    assert all(f"--{name.replace('_', '-')}" in error.value.tip for name in NAMES)


def options(variants: tuple[Variant, ...]) -> list[str]:
    return [variant.options for variant in variants]


def test_queue_and_blocking_are_compared_unless_something_else_is_said() -> None:
    assert options(chosen(None, None, ())) == ["--insert-mode queue", "--insert-mode blocking"]
    assert options(chosen("--workers 1", None, ())) == ["--workers 1"]
    assert options(chosen("--workers 1", "--workers 2", ())) == ["--workers 1", "--workers 2"]
    assert options(chosen(None, "--workers 1", ())) == [DEFAULT_OPTIONS, "--workers 1"]


def test_the_settings_of_the_stored_baseline_are_run_again() -> None:
    stored = (parse("--a", "--workers 3"), parse("--b", "--workers 5"))
    assert chosen(None, None, stored) == stored
    assert options(chosen("--workers 1", None, stored)) == ["--workers 1", "--workers 3"]
    assert options(chosen("--insert-threads auto --workers 3", None, stored)) == ["--insert-threads auto --workers 3"]


def test_stored_settings_stay_what_they_were_when_defaults_change() -> None:
    then = Variant("--insert-mode queue", parse("--a", f"--workers {PROCESSORS + 1}").settings)
    now = chosen("--insert-mode queue", None, (then,))
    assert options(now) == ["--insert-mode queue", "--insert-mode queue (as stored)"]
    assert [variant.settings["workers"] for variant in now] == [PROCESSORS, PROCESSORS + 1]


def test_the_same_settings_twice_are_no_comparison() -> None:
    with pytest.raises(UsageError, match="--a and --b are the same"):
        chosen(f"--workers {PROCESSORS}", "--insert-mode queue", ())
