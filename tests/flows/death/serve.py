"""Serves the real web application on a free port, and prints the port."""

import sys

from waitress.server import create_server

import parts
from fakes import FakeNotifier
from triage.store import people
from web.app import create_app

product = parts.build(sys.argv[1], FakeNotifier())
scopes = ["tickets:read", "tickets:write"]
product.services.transactions.write(lambda conn: people.put_token(conn, "death", "death-test", scopes, parts.now()))
server = create_server(create_app(product), host="127.0.0.1", port=0, threads=4)
print(server.effective_port, flush=True)
server.run()
