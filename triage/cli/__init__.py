"""The `triage` command: a literal table of commands, each loaded only when it runs; refuses to work itself."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

# name -> where it lives, and its one line in --help: nothing is imported to print them.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("triage.cli.serve:up", "Start everything: database, first model, demo, web and worker."),
    "web": ("triage.cli.serve:web", "Start the web server alone."),
    "bot": ("triage.cli.serve:bot", "Start the Slack bot alone."),
    "worker": ("triage.cli.serve:worker", "Start the worker alone: deliveries and schedules."),
    "init": ("triage.cli.admin:init", "Create or migrate the database."),
    "user": ("triage.cli.admin:user", "Add local accounts."),
    "token": ("triage.cli.admin:token", "Add API tokens."),
    "file": ("triage.cli.tickets:file", "File a ticket."),
    "classify": ("triage.cli.tickets:classify", "Say what would happen to texts, storing nothing."),
    "redact": ("triage.cli.tickets:redact", "Mask patient identifiers in texts."),
    "train": ("triage.cli.learning:train", "Train a model and store it."),
    "evaluate": ("triage.cli.learning:evaluate", "Measure a model on labelled rows."),
    "models": ("triage.cli.learning:models", "List the stored models."),
    "promote": ("triage.cli.learning:promote", "Make a stored model live."),
    "rollback": ("triage.cli.learning:rollback", "Go back to the model before the live one."),
    "backup": ("triage.cli.admin:backup", "Copy the whole database while it runs."),
    "restore": ("triage.cli.admin:restore", "Fill an empty database from a backup."),
    "verify": ("triage.cli.admin:verify", "Check the audit chain, the database and the models."),
    "mend": ("triage.cli.privacy:mend", "Mask words that the masker missed."),
    "misses": ("triage.cli.privacy:misses", "Test the masker on what it missed before."),
    "original": ("triage.cli.privacy:original", "Show an unmasked text, where the site keeps them."),
    "hold": ("triage.cli.privacy:hold", "Put a ticket under legal hold."),
    "access": ("triage.cli.privacy:access", "Export who saw a ticket, or what a person saw."),
    "breach": ("triage.cli.privacy:breach", "Keep the breach register."),
    "key": ("triage.cli.privacy:key", "Make and change the keys for originals and backups."),
    "check-policy": ("triage.cli.admin:check_policy", "Check a policy file."),
    "seed": ("triage.cli.admin:seed", "Fill the database with synthetic tickets."),
    "deliveries": ("triage.cli.slack:deliveries", "Show what could not be sent, and send it once more."),
    "slack-demo": ("triage.cli.slack:slack_demo", "Play a conversation in a pretended Slack, without a workspace."),
    "doctor": ("triage.cli.admin:doctor", "Check everything and say what to do."),
}


class LazyGroup(click.Group):
    """Imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hospital-triage", prog_name="triage")
def cli() -> None:
    """Sort a hospital's IT tickets: from a sentence to a safe decision."""


def main(args: list[str] | None = None) -> Any:
    """Run the command. Exit code 0 ok, 1 what was asked failed, 2 wrong usage or bad input."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a lone surrogate in a ticket must not end in a traceback
    return cli.main(args=args, prog_name="triage")
