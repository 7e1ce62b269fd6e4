"""Slack only: turns Slack's payloads into messages and notices into Slack calls; decides nothing."""
