"""A webhook that verifies what it gets, and a mail server that keeps it. Arguments: both ports, and a folder."""

import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from standardwebhooks.webhooks import Webhook

web, mail, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
key = Webhook((folder / "key").read_text().strip())


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        told = key.verify(body, {name.lower(): value for name, value in self.headers.items()})
        (folder / "verified").write_text(told["type"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Keep:
    async def handle_DATA(self, _server, _session, envelope):
        (folder / "mail").write_bytes(envelope.content.replace(b"\r\n", b"\n"))
        return "250 taken"


server = HTTPServer(("127.0.0.1", web), Hook)
Controller(Keep(), hostname="127.0.0.1", port=mail).start()
threading.Thread(target=server.serve_forever).start()
(folder / "ready").touch()
