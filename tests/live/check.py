"""Holds what was heard against what was written.

    check.py JOURNAL.jsonl NETWORK TRUTH.json

Prints one line for each check, `ok` or `FAILED` first.
"""

import json
import sys

JOURNAL, NETWORK, TRUTH = sys.argv[1:]


def say(good, what):
    print("ok    " if good else "FAILED", f"{NETWORK}: {what}")


def main():
    with open(TRUTH, encoding="utf-8") as file:
        truth = json.load(file)
    written, deleted = set(truth["written"]), set(truth["deleted"])
    with open(JOURNAL, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    lines = [line for line in lines if line["source"].split(":")[0] == NETWORK]
    read = [post["id"] for line in lines for post in line["posts"]]
    say(len(written) > 100, f"{len(written)} posts were written")
    say(not written - set(read), f"{len(written - set(read))} of them were not heard")
    say(not set(read) - written, f"{len(set(read) - written)} were heard that nobody wrote")
    taken_back = {key["id"] for line in lines for key in line["deleted"]}
    say(taken_back == deleted, f"{len(taken_back)} of {len(deleted)} deletions were heard")
    spans = [line["heard"] for line in lines if line["heard"]]
    holes = sum(before[1] != after[0] for before, after in zip(spans, spans[1:]))
    say(spans and not holes, f"{holes} holes in {len(spans)} spans that were heard")
    gaps = [gap for line in lines for gap in line["gaps"]]
    say(not gaps, f"{len(gaps)} gaps")


main()
