"""Cuts the posts on stdin in two, the second part beginning while the service is down, with hostile words in those of the outage.

    python3 posts.py FOLDER       writes FOLDER/first.jsonl and FOLDER/rest.jsonl
"""

import json
import pathlib
import sys

# What is usual is learnt from the days before.
BEGIN, DOWN, CUT = "2021-07-02", "2021-07-06T19:00", "2021-07-06T20:45"
HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\"><svg onload=document.title='owned'>",
    "</title></style><style>*{display:none}</style>",
    "' onmouseover='document.title=1",
    "[x](javascript:document.title='owned')",
    "\u202egnp.exe \x1b[2J",
]

folder = pathlib.Path(sys.argv[1])
with open(folder / "first.jsonl", "w") as first, open(folder / "rest.jsonl", "w") as rest:
    for number, line in enumerate(sys.stdin):
        post = json.loads(line)
        seen = post.get("observed_at") or post.get("created_at")
        if seen is None or seen < BEGIN:
            continue
        if seen > DOWN and "text" in post:
            # The number keeps long texts apart, which else would count as copies of one.
            post["text"] += f" {number} {HOSTILE[number % len(HOSTILE)]}"
        (first if seen < CUT else rest).write(json.dumps(post) + "\n")
