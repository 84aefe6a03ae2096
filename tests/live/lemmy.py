"""Writes synthetic posts and comments to a Lemmy server on loopback that nobody has used before.

    lemmy.py URL SECONDS TEXTS.json FOLDER

In the first half of SECONDS they are about nothing, in the second about outages, but for its last seconds. Every tenth is
taken back when it has stood for so many seconds: one that was taken back before anybody read it is never told of. What was
written goes to FOLDER/lemmy.json.
"""

import json
import sys
import time
import urllib.request

URL, TEXTS, FOLDER = sys.argv[1], sys.argv[3], sys.argv[4]
SECONDS = float(sys.argv[2])
ACCOUNTS = 10
STANDS = 20
PASSWORD = "synthetic-password"


def call(path, method="POST", **body):
    request = urllib.request.Request(f"{URL}/api/v3/{path}", json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    # Lemmy limits each address by itself; the writers are not those who are tested.
    request.add_header("X-Forwarded-For", "192.0.2.1")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def sign_up(number):
    name = f"synthetic{number}"
    answer = call("user/register", username=name, password=PASSWORD, password_verify=PASSWORD, show_nsfw=False)
    return name, answer["jwt"]


def set_up():
    """Lets many write much; who reads is limited as ever."""
    admin = call("user/login", username_or_email="synthetic", password=PASSWORD)["jwt"]
    much = {f"rate_limit_{what}": 9999 for what in ["post", "register", "comment"]}
    call("site", "PUT", auth=admin, registration_mode="open", captcha_enabled=False, **much)
    community = call("community", name="synthetic", title="Synthetic", auth=admin)
    return community["community_view"]["community"]["id"], [sign_up(number) for number in range(ACCOUNTS)]


def main():
    with open(TEXTS, encoding="utf-8") as file:
        texts = json.load(file)
    community, accounts = set_up()
    posts, doomed, thread = [], [], None
    begin = time.monotonic()

    def take_back(until):
        while doomed and doomed[0][0] <= until:
            _, kind, item, auth, post = doomed.pop(0)
            call(f"{kind}/delete", deleted=True, auth=auth, **{f"{kind}_id": item})
            post["deleted"] = True

    while time.monotonic() < begin + SECONDS - STANDS:
        number = len(posts)
        words = texts["nothing" if time.monotonic() < begin + SECONDS / 2 else "outage"]
        text = f"Synthetic l{number}: {words[number % len(words)]}"
        author, auth = accounts[number % ACCOUNTS]
        if number % 3 == 0 or thread is None:
            kind, answer = "post", call("post", name=text, community_id=community, auth=auth)
        else:
            kind, answer = "comment", call("comment", content=text, post_id=thread, auth=auth)
        item = answer[f"{kind}_view"][kind]
        post = {
            "source": "lemmy", "id": item["ap_id"], "created_at": item["published"] + "Z",
            "author": author, "text": text, "deleted": False, "hidden": False,
        }
        posts.append(post)
        if number % 10 == 9:
            doomed.append((time.monotonic() + STANDS, kind, item["id"], auth, post))
        elif kind == "post":
            thread = item["id"]
        take_back(time.monotonic())
        time.sleep(0.3)
    time.sleep(STANDS)
    take_back(time.monotonic())
    with open(f"{FOLDER}/lemmy.json", "w", encoding="utf-8") as file:
        json.dump(posts, file)


main()
