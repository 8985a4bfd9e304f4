"""Measure how fast this machine loads, and compare it with earlier measurements."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from env_prep.baseline.command import baseline_command
from xml_extractor.cli.boundary import execute

if __name__ == "__main__":
    execute(baseline_command, None, "establish_baseline.py")
