"""Holds what the job made of the posts against what was written.

    check.py WHATSDOWN FOLDER SPACING LEMMY_SPACING SECONDS STARTS

FOLDER holds the database `whatsdown.db`, the `timelines`, what was written (`bluesky.json`, `mastodon.json`, and `lemmy.json`
if there was a Lemmy), and the logs of the servers, `mock.log`, `bluesky.log` and `lemmy_server.log`. SECONDS is how long the job ran, in STARTS starts. Prints one line for each check, `ok` or `FAILED` first.
"""

import collections
import json
import pathlib
import re
import sqlite3
import subprocess
import sys

BINARY, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
SPACING, LEMMY_SPACING, SECONDS, STARTS = map(float, sys.argv[3:])
DATABASE, TIMELINES = FOLDER / "whatsdown.db", FOLDER / "timelines"
FORMS = ["html", "json", "md", "txt"]
NETWORKS = [network for network in ["bluesky", "lemmy", "mastodon"] if (FOLDER / f"{network}.json").exists()]


def say(good, what):
    print("ok    " if good else "FAILED", what)


def whatsdown(*words, stdin=None):
    command = [BINARY, "--db", DATABASE, *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True).stdout


def objects(*words, **options):
    return [json.loads(line) for line in whatsdown(*words, **options).splitlines()]


def query(words):
    with sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True) as connection:
        return connection.execute(words).fetchall()


def check_counts(posts, readings):
    """Every post counts once under what it is read as."""
    written = collections.Counter()
    for post, answer in zip(posts, readings):
        for it in answer["readings"]:
            written[post["source"], it["service"], it["kind"], "world"] += 1
            # Profiles are looked up of those who report an outage alone.
            if it["kind"] == "report" and answer["region"]:
                code = answer["region"]["code"]
                written.update((post["source"], it["service"], it["kind"], region) for region in {code, code.split("-")[0]})
    counted = collections.Counter()
    for row in objects("export", "counts"):
        if row["region"] == "world" or row["kind"] == "report":
            counted[row["source"], row["service"], row["kind"], row["region"]] += row["posts"]
    for network in NETWORKS:
        reports = sum(number for key, number in written.items() if key[0] == network and key[2:] == ("report", "world"))
        say(reports >= 30, f"{network}: {reports} reports were written")
    for key in sorted(written | counted):
        say(written[key] == counted[key], f"{' '.join(key)}: {counted[key]} counted of {written[key]} written")


def check_texts(posts, readings):
    """The very posts that may be quoted are kept: those whose authors took them back, or keep out of searches, are not."""
    telling = [post for post, answer in zip(posts, readings) if any(it["kind"] != "echo" for it in answer["readings"])]
    quotable = {post["text"] for post in telling if not (post["deleted"] or post["hidden"])}
    quoted = {text for (text,) in query("SELECT text FROM quote")}
    say(quoted == quotable, f"{len(quotable - quoted)} texts of {len(quotable)} are missing, {len(quoted - quotable)} too many")
    files = [path.read_bytes() for path in [*FOLDER.glob("whatsdown.db*"), *TIMELINES.iterdir()]]
    for why in ["deleted", "hidden"]:
        # The number at its beginning makes each text one of a kind.
        unwanted = [post["text"].split(":")[0] + ":" for post in telling if post[why]]
        left = [text for text in unwanted if any(text.encode() in file for file in files)]
        say(unwanted and not left, f"{len(left)} of {len(unwanted)} {why} posts have words in a file")


def check_sources(posts):
    """Nothing was missed, and each source says how it fares."""
    for source in json.loads(whatsdown("sources", "--json")):
        network = source["source"].split(":")[0]
        told = {key: source[key] for key in ["state", "posts", "errors"]}
        whole = source["last_success"] and not source["gaps"]
        say(whole and source["state"] == "stopped", f"{network}: {told}, gaps: {source['gaps']}")
        last = max(post["created_at"] for post in posts if post["source"] == network)
        # Times differ in how many digits follow the seconds.
        until = source["heard_until"] or ""
        say(until[:19] >= last[:19], f"{network}: heard until {until}, written until {last}")
    spans = query("SELECT network, count(*) FROM listening WHERE heard GROUP BY network")
    say(spans == [(network, 1) for network in NETWORKS], f"spans that were heard: {dict(spans)}")


def check_requests():
    log = (FOLDER / "mock.log").read_text(encoding="utf-8")
    asked = re.findall(r'"GET /api/(?:v1/timelines|v2/instance)\S* HTTP/1.1" (\d+)', log)
    allowed = int(SECONDS / SPACING + STARTS)
    within = f"{len(asked)} requests in {SECONDS:.0f} s and {STARTS:.0f} starts, {allowed} allowed"
    say(0 < len(asked) <= allowed, f"mastodon: {within}")
    made = json.loads((FOLDER / "faults.json").read_text(encoding="utf-8"))
    say(asked.count("429") <= made.count(429), f"mastodon: {asked.count('429')} answers 429, {made.count(429)} of them made")


def check_lemmy():
    log = (FOLDER / "lemmy_server.log").read_text(encoding="utf-8")
    asked = re.findall(r'"GET /api/\S* HTTP/1.1" (\d+) \d+ "-" "whatsdown', log)
    allowed = int(SECONDS / LEMMY_SPACING + STARTS)
    within = f"{len(asked)} requests in {SECONDS:.0f} s and {STARTS:.0f} starts, {allowed} allowed"
    say(0 < len(asked) <= allowed and set(asked) == {"200"}, f"lemmy: {within}, {asked.count('400')} refused")


def check_profiles(posts):
    """The real PDS limits what it is asked, and refuses nothing; each author's profile is looked up once."""
    log = (FOLDER / "bluesky.log").read_text(encoding="utf-8")
    answers = re.findall(r"^pds (\d+) limited", log, re.MULTILINE)
    refused = answers.count("429")
    say(answers and not refused, f"bluesky: {refused} of {len(answers)} requests that the PDS counts were refused")
    lookups = re.findall(r"^profiles (\d+) (.*)$", log, re.MULTILINE)
    asked = collections.Counter(actor for _, actors in lookups for actor in actors.split())
    # Killed before it was stored, it is asked for once more.
    once = max(asked.values(), default=0) <= STARTS and len(asked) == len({post["author"] for post in posts if post["source"] == "bluesky"})
    refused = sum(status != "200" for status, _ in lookups)
    allowed = int(SECONDS + STARTS * 60)
    what = f"bluesky: {len(lookups)} look-ups of {sum(asked.values())} profiles of {len(asked)} authors, {refused} refused"
    say(0 < len(lookups) <= allowed and once and not refused, what)


def check_incidents():
    incidents = json.loads(whatsdown("incidents", "--json"))
    tiktok = [incident for incident in incidents if incident["service"] == "tiktok"]
    figures = [(incident["id"], incident["reports"], incident["authors"]) for incident in tiktok]
    say(len(tiktok) == 1, f"incidents of tiktok, with reports and authors: {figures}")
    expected = sorted(f"{incident['id']}.{form}" for incident in incidents for form in FORMS)
    found = sorted(path.name for path in TIMELINES.iterdir())
    say(found == expected, f"{len(found)} timeline files of {len(expected)}")
    for incident in incidents:
        files = [TIMELINES / f"{incident['id']}.{form}" for form in FORMS]
        html, told, markdown, plain = (path.read_text(encoding="utf-8") if path.exists() else "" for path in files)
        whole = html.startswith("<!doctype html>") and html.rstrip().endswith("</html>")
        whole &= markdown.startswith("# ") and markdown.endswith("\n") and plain.endswith("\n")
        told = json.loads(told or "{}")
        stale = [key for key in incident if told.get(key) != incident[key]]
        say(whole and told.get("entries") and not stale, f"the timelines of {incident['id']} are whole; stale: {stale}")


def main():
    truth = [FOLDER / f"{network}.json" for network in NETWORKS]
    posts = [post for path in truth for post in json.loads(path.read_text(encoding="utf-8"))]
    readings = objects("explain", stdin="".join(json.dumps(post) + "\n" for post in posts))
    check_counts(posts, readings)
    check_texts(posts, readings)
    check_sources(posts)
    check_requests()
    check_profiles(posts)
    if "lemmy" in NETWORKS:
        check_lemmy()
    check_incidents()


main()
