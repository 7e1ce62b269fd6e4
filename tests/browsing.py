"""What tests of the web share: a browser, a page as it reads it, and a server with one member of each role."""

import re
from html.parser import HTMLParser

from werkzeug.security import generate_password_hash

from builders import NOON
from parts import StandIn
from triage import settings
from triage.roles import ROLES
from triage.store import people
from triage.ticket import ModelUnavailableError
from web.app import create_app

PASSWORD = "correct horse battery"
HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:1")  # a quick one: these tests are not about its strength
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}


class TrainedModel:
    """A live model that is in order, unless told that it `is_missing`."""

    def __init__(self):
        self._missing = ""

    def is_missing(self, why="no model was trained yet"):
        self._missing = why

    def live(self):
        if self._missing:
            raise ModelUnavailableError(self._missing)
        return self


class Page(HTMLParser):
    """A page as a browser reads it: its title, text, forms and hidden fields, and what is wrong with its markup."""

    def __init__(self, html):
        super().__init__()
        self.title, self.text, self.faults, self.fields, self.forms, self.ids = "", "", [], {}, [], []
        self._open = []
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.faults.append(f"inline <{tag}>")
        self.faults += [f"inline {name} on <{tag}>" for name in given if name == "style" or name.startswith("on")]
        for name in ("href", "src", "action"):
            if re.match(r"\s*(javascript|data|https?):|//", given.get(name) or ""):
                self.faults.append(f"{name} of <{tag}> leads elsewhere")
        self.ids += [given["id"]] if "id" in given else []
        if tag == "form":
            self.forms.append({"method": given.get("method", "get"), "action": given.get("action"), "fields": {}})
        if tag == "input" and self.forms:
            self.forms[-1]["fields"][given.get("name")] = given.get("value", "")

    def handle_endtag(self, tag):
        if self._open and self._open[-1] == tag:
            self._open.pop()
        else:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.text += data
        if self._open and self._open[-1] == "title":
            self.title += data

    @property
    def csrf(self):
        """The token of the last form, where a person would have it from too."""
        return self.forms[-1]["fields"]["csrf_token"]


class Browser:
    """One person's browser on one server."""

    def __init__(self, app):
        self.app = app
        self.client = app.test_client()

    def page(self, path="/"):
        return Page(self.client.get(path).get_data(as_text=True))

    def sign_in(self, email, password=PASSWORD, **more):
        form = {"email": email, "password": password, "csrf_token": self.page("/sign-in").csrf} | more
        return self.client.post("/sign-in", data=form)

    def as_(self, role):
        """Sign in as the cast's member of that role: role@example.org."""
        assert self.sign_in(f"{role}@example.org").status_code == 302
        return self

    def is_in(self):
        """Tell whether the session is alive; a person without the right still is somebody."""
        return self.client.get("/").status_code in (200, 403)

    def cookie(self):
        return self.client.get_cookie("triage").value


def server(services, model):
    for role in ROLES:
        email = f"{role}@example.org"
        services.transactions.write(lambda conn, e=email, r=role: people.put_user(conn, e, r, HASH, NOON))
    return create_app(StandIn(services, settings.load(), model))
