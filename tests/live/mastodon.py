"""Writes synthetic posts as four accounts to a mastodon-mock server on loopback, and makes some of its answers fail.

    mastodon.py URL SECONDS TRUTH.json

After SECONDS, the URIs of what was written go to TRUTH.json.
"""

import json
import random
import sys
import time
import urllib.request

URL, SECONDS, TRUTH = sys.argv[1], float(sys.argv[2]), sys.argv[3]

FAULTS = [
    {"type": "status", "status": 503},
    {"type": "malformed"},
    {"type": "latency", "delay_ms": 1500},
    {"type": "status", "status": 429, "headers": {"Retry-After": "2"}},
]


def call(path, body, number):
    request = urllib.request.Request(URL + path, json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer token{number % 4}")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def main():
    written = []
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end:
        status = call("/api/v1/statuses", {"status": f"Synthetic post {number}: is #tiktokdown for you?"}, number)
        written.append(status["uri"])
        number += 1
        if number % 25 == 0:
            fault = FAULTS[number // 25 % len(FAULTS)]
            call("/api/v1/_mock/faults", {"match": {"path": "/api/v1/timelines/*"}, "effect": fault, "count": 1}, number)
        # Bursts fill more than one page.
        time.sleep(random.expovariate(3) if number % 100 < 50 else 0.01)
    with open(TRUTH, "w", encoding="utf-8") as file:
        json.dump({"written": written, "deleted": []}, file)


main()
