"""Writes synthetic posts as many accounts to a mastodon-mock server on loopback, and makes some of its answers fail.

    mastodon.py URL ACCOUNTS SECONDS SEED TEXTS.json FOLDER

In the first half of SECONDS the posts are about nothing, in the second about outages. What was written goes to
FOLDER/mastodon.json, the statuses of the answers that were made to fail to FOLDER/faults.json.
"""

import json
import random
import sys
import time
import urllib.request

URL, TEXTS, FOLDER = sys.argv[1], sys.argv[5], sys.argv[6]
ACCOUNTS, SECONDS = int(sys.argv[2]), float(sys.argv[3])
DICE = random.Random(sys.argv[4])

FAULTS = [
    {"type": "status", "status": 503},
    {"type": "malformed"},
    {"type": "latency", "delay_ms": 1500},
    {"type": "status", "status": 429, "headers": {"Retry-After": "2"}},
]


def call(path, body, number):
    request = urllib.request.Request(URL + path, json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer token{number % ACCOUNTS}")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def main():
    with open(TEXTS, encoding="utf-8") as file:
        texts = json.load(file)
    posts, faults = [], []
    begin = time.monotonic()
    number = 0
    while time.monotonic() < begin + SECONDS:
        kind = texts["nothing" if time.monotonic() < begin + SECONDS / 2 else "outage"]
        text = f"Synthetic m{number}: {kind[number % len(kind)]}"
        status = call("/api/v1/statuses", {"status": text}, number)
        posts.append({
            "source": "mastodon", "id": status["uri"], "created_at": status["created_at"],
            "author": f"synthetic{number % ACCOUNTS}", "text": text, "deleted": False,
            "hidden": status["account"]["indexable"] is False,
        })
        number += 1
        if number % 25 == 0:
            fault = FAULTS[number // 25 % len(FAULTS)]
            call("/api/v1/_mock/faults", {"match": {"path": "/api/v1/timelines/*"}, "effect": fault, "count": 1}, number)
            faults.append(fault.get("status"))
        # Bursts fill more than one page.
        time.sleep(DICE.expovariate(6) if number % 100 < 50 else 0.01)
    for name, content in [("faults", faults), ("mastodon", posts)]:
        with open(f"{FOLDER}/{name}.json", "w", encoding="utf-8") as file:
            json.dump(content, file)


main()
