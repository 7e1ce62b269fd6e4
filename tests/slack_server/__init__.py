"""Owns the pretended Slack as one thing that tests start and stop; refuses to reach beyond this machine.

It speaks the Web API over HTTP and Socket Mode over WebSocket, checks what Slack checks and acts as people.
"""

import time

from slack_server.clock import Clock, Errands
from slack_server.delivery import Deliveries
from slack_server.forms import ClientRefusal
from slack_server.installation import Installation
from slack_server.people import Person
from slack_server.screen import Screen, strings_of
from slack_server.sockets import Sockets
from slack_server.tickets import ResponseUrls, Triggers
from slack_server.web_api import Fault, WebApi
from slack_server.workspace import Channel, User, Workspace

__all__ = ["ClientRefusal", "Person", "SlackServer"]


class SlackServer:
    """A workspace with one app installed: `with SlackServer(manifest) as slack: ...`."""

    def __init__(self, manifest):
        self.clock = Clock()
        self.app = Installation.of(manifest)
        self.workspace = Workspace(self.clock, self.app)
        self.triggers = Triggers(self.clock)
        self.urls = ResponseUrls(self.workspace)

    def __enter__(self):
        self._errands = Errands(self.clock)
        self.sockets = Sockets(self.app, self._errands)
        self.sockets.start()
        self.api = WebApi(self.workspace, self.triggers, self.sockets, self.urls)
        self.api.start()
        self.urls.base, self.urls.refuse = self.api.base, self.api.refuse
        self.traffic = Deliveries(self.app, self.sockets, self._errands, self.clock)
        self.workspace.announce = self.traffic.announce
        return self

    def __exit__(self, *_):
        self.sockets.stop()
        self.api.stop()
        self._errands.stop()

    # --- what the app is given ---

    @property
    def api_url(self):
        """The base of the Web API, as SLACK_API_URL has it."""
        return f"{self.api.base}/api/"

    @property
    def bot_token(self):
        """The token that the bot calls with."""
        return self.app.bot_token

    @property
    def app_token(self):
        """The token that opens Socket Mode."""
        return self.app.app_token

    @property
    def signing_secret(self):
        """What HTTP deliveries are signed with."""
        return self.app.signing_secret

    # --- the workspace ---

    def person(self, name, email=None, locale="en-US"):
        """Let somebody in; a guest has no e-mail."""
        with self.workspace.lock:
            user = User(self.workspace.new_id("U"), name, email, locale)
            self.workspace.users[user.id] = user
        return Person(self, user)

    def channel(self, name, private=False, bot_in=True, people=(), archived=False):
        """Make a channel."""
        with self.workspace.lock:
            kind, members = "group" if private else "channel", {person.id for person in people}
            made = Channel(self.workspace.new_id("C"), name, kind, members, archived)
            made.members |= {self.app.user_id} if bot_in else set()
            return self.workspace.channels.setdefault(made.id, made)

    def between(self, one, other):
        """Make a conversation between two people, which the bot does not see."""
        with self.workspace.lock:
            made = Channel(self.workspace.new_id("D"), "", "dm", {one.id, other.id})
            return self.workspace.channels.setdefault(made.id, made)

    def revoke_tokens(self):
        """Uninstall the app: every call is refused from now on."""
        self.app.revoked = True

    # --- how deliveries go ---

    def deliver_to(self, url, verify=False):
        """Deliver over HTTP to this address; None goes back to Socket Mode."""
        self.traffic.url = url
        if verify:
            assert self.traffic.verify(), f"{url} did not answer Slack's challenge"

    def knock(self, how):
        """Post over HTTP as `genuine`, `forged`, `unsigned` or `stale`; returns the status."""
        return self.traffic.knock(how)[0]

    def misbehave(self, method, fault, times=1, retry_after=1, seconds=1.0):
        """Let the next calls of a method (`*`: any) go wrong.

        429, 500, 502, 503, slow, timeout, dropped, broken_json, any error code; after `stored_then_` the call is
        carried out first. `seconds` is how long slow and timeout last.
        """
        self.api.misbehave(Fault(method, str(fault), times, retry_after, seconds))

    def hold(self):
        """Keep events back until `release(...)`."""
        self.traffic.holding = True

    def release(self, *order):
        """Let held events go one by one, in this order or as they came; `slack.held` lists them."""
        return self.traffic.release(*order)

    def deliver_twice(self, times=1):
        """Deliver the next events twice."""
        self.traffic.repeat += times

    def deliver_again(self, delivery):
        """Deliver something a second time."""
        return self.traffic.again(delivery)

    def lose_acknowledgements(self, times=1):
        """Lose the next acknowledgements on the way."""
        self.traffic.lose += times

    # --- questions ---

    @property
    def held(self):
        """Events kept back."""
        return list(self.traffic.held)

    @property
    def deliveries(self):
        """Everything that was sent to the app."""
        return list(self.traffic.all)

    def last(self, name):
        """Return the newest delivery with this name: message, app_mention, /it, block_actions, view_submission, ..."""
        return next(each for each in reversed(self.traffic.all) if each.name == name)

    @property
    def calls(self):
        """Every call with its result."""
        return list(self.api.calls)

    def called(self, method):
        """Return the calls of one method."""
        return [call for call in self.calls if call.method == method]

    @property
    def refused(self):
        """The calls (and answers) that Slack would refuse; faults asked for do not count."""
        return [call for call in self.calls if not call.ok and not call.fault]

    @property
    def acknowledgements(self):
        """(name, seconds) of each try to deliver; None where no acknowledgement came in time."""
        return [
            (delivery.name, None if attempt.failed else attempt.seconds)
            for delivery in self.deliveries
            for attempt in list(delivery.attempts)
            if attempt.over
        ]

    @property
    def late(self):
        """(name, seconds) of acknowledgements that came too late, in Socket Mode."""
        return [(delivery.name, seconds) for delivery in self.deliveries for seconds in delivery.late]

    def thread(self, channel, ts):
        """Return a message and its replies; takes a message for `ts` too."""
        return channel.thread(getattr(ts, "ts", ts))

    def seen_by(self, person):
        """Return what is on a person's screen."""
        with self.workspace.lock:
            theirs = [c for c in self.workspace.channels.values() if person.id in c.members]
            alone = [m for c in theirs for m in c.everything if m.only_for == person.id and not m.deleted]
            messages = [message for channel in theirs for message in channel.messages]
            return Screen(messages, alone, person.home, person.view, person.told)

    def anywhere(self, text):
        """Return where the app ever wrote a text: messages, metadata, views, answers; also where changed since."""
        with self.workspace.lock:
            return [place for place, what in self.workspace.written if any(text in each for each in strings_of(what))]

    @property
    def paged(self):
        """(how, message, ids of people) for every @channel, @here and @everyone."""
        return list(self.workspace.paged)

    def until(self, condition, timeout=5.0):
        """Wait until something holds and return it; says what happened if it never does."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if found := condition():
                return found
            time.sleep(0.01)
        raise AssertionError(f"not within {timeout} s; calls: {self.calls}; told: {self.workspace.toasts}")

    def settle(self, timeout=8.0):
        """Wait until nothing is on its way to the app; retries of later minutes do not count."""
        self.until(self._errands.idle, timeout)
