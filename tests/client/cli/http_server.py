"""A file server for tests of downloads. The path says how it behaves: /good/FILE, /cut/FILE, ...

Usage: http_server.py FOLDER
Prints its port, then a line for each request: PATH RANGE.
"""

import http.server
import pathlib
import sys

FOLDER = pathlib.Path(sys.argv[1])
seen = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        print(self.path, self.headers.get("Range", "-"), flush=True)
        mode, name = self.path.strip("/").split("/")
        seen[self.path] = seen.get(self.path, 0) + 1
        first = seen[self.path] == 1
        if mode == "redirect":
            return self.redirect(f"/good/{name}")
        if mode == "loop":
            return self.redirect(self.path)
        if mode == "escape":
            return self.redirect("file:///etc/hostname")
        if mode == "busy" and first:
            return self.fail(503)
        if mode == "teapot":
            return self.fail(418)
        path = FOLDER / name
        if not path.exists():
            return self.fail(404)
        self.give(mode, path.read_bytes(), cut=first and mode.startswith("cut"))

    def give(self, mode, body, cut):
        tag = f'"{seen[self.path]}"' if mode == "cut-changing" else '"same"'
        start = 0
        asked = self.headers.get("Range")
        if asked and mode != "cut-rangeless" and self.headers.get("If-Range", tag) in (tag, "Sun, 06 Nov 1994 08:49:37 GMT"):
            start = int(asked.removeprefix("bytes=").split("-")[0])
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if mode == "cut-dated":
            self.send_header("ETag", 'W/"weak"')
            self.send_header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        elif mode != "cut-nameless":
            self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : len(body) // 2 if cut else None])
        if cut:
            self.close_connection = True

    def redirect(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"moved")

    def fail(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"sorry")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
