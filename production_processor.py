"""The nightly run: `python production_processor.py --workers 4`."""

from xml_extractor.cli import run_nightly

if __name__ == "__main__":
    run_nightly()
