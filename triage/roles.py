"""Owns who may do what, for every interface alike; refuses to know interfaces."""

from __future__ import annotations

ROLES = ("requester", "viewer", "agent", "lead", "security", "admin")
WORKERS = frozenset({"agent", "lead", "security", "admin"})
# What each role may do. A permission that no role has is a mistake; a test compares the two.
PERMISSIONS: dict[str, frozenset[str]] = {
    "tickets:report": frozenset(ROLES),  # their own alone
    "queue:read": WORKERS | {"viewer"},
    "tickets:work": WORKERS,
    "security:read": frozenset({"security", "admin"}),
    "original:read": frozenset({"lead", "security", "admin"}),  # unmasked words, each look with a reason and audited
}


def may(role: str, permission: str) -> bool:
    """Tell whether a role has a permission; an unknown one has none."""
    return role in PERMISSIONS.get(permission, ())
