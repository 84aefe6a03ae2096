#!/usr/bin/env python3
"""Holds the timeline that README.md shows against the one that the program prints.

    tests/readme.py PROGRAM            fails where they differ
    tests/readme.py PROGRAM --write    puts what the program prints into README.md
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
RECORDING = ROOT / "fixtures/tiktok-2021-07-06/posts.jsonl.zst"
BLOCK = re.compile(r"(?<=```text\n).*?(?=\n```)", re.DOTALL)


def printed(program):
    with tempfile.TemporaryDirectory() as folder:
        words = [program, "--quiet", "--db", f"{folder}/replay.db", "--tz", "America/New_York"]
        subprocess.run([*words, "replay", str(RECORDING)], check=True, stdout=subprocess.DEVNULL)
        return subprocess.run([*words, "timeline"], check=True, capture_output=True, encoding="utf-8").stdout


def excerpt(timeline):
    """The head up to the first country's parts, and the course."""
    head, rest = re.match(r"(.*?\n    and \d+ more)\n(.*)", timeline, re.DOTALL).groups()
    course = re.search(r"^The course\n.*?(?=\n\nHow this was worked out)", rest, re.DOTALL | re.MULTILINE).group()
    return f"{head}\n[…]\n{course.rstrip()}"


def main():
    program, *options = sys.argv[1:]
    text = README.read_text(encoding="utf-8")
    shown, current = BLOCK.search(text).group(), excerpt(printed(program))
    if options == ["--write"]:
        README.write_text(BLOCK.sub(lambda _: current, text, count=1), encoding="utf-8")
    elif shown != current:
        sys.exit("README.md shows another timeline than the program prints: tests/readme.py PROGRAM --write")
    else:
        print("the README's timeline is what the program prints")


main()
