"""Files some tickets and ends."""

import sys

import parts
from builders import a_message
from fakes import FakeNotifier
from triage import service

services = parts.build(sys.argv[1], FakeNotifier()).services
for number in range(int(sys.argv[2])):
    service.receive(services, a_message(external_id=f"m-{number}"), parts.now())
