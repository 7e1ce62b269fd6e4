"""Owns the demo: a morning's messages from a made-up hospital, for an empty development database."""

from __future__ import annotations

from triage.ticket import ClinicalImpact, Message

_ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("zebra printer on 4W prints blank labels", "nurse.sample@example.org", "4 West", "PRN-4W-02"),
    (
        "Clicked a link in a text about a parcel and typed my password before I noticed the address",
        "clerk.sample@example.org",
        "Registration",
        "",
    ),
    ("L'imprimante du poste est hors ligne depuis ce matin", "inf.exemple@example.org", "5 Est", "PRN-5E-01"),
    ("I need access to the shared drive of the infection control team", "ipac.sample@example.org", "", ""),
    ("Workstation on wheels 12 will not turn on, battery light is red", "rn.sample@example.org", "ICU", "WOW-12"),
    ("Outlook search finds nothing since the update", "manager.sample@example.org", "", ""),
    ("Le VPN coupe toutes les dix minutes de la maison", "tele.exemple@example.org", "", ""),
    ("No dial tone on the desk phone at triage", "triage.sample@example.org", "Emergency", "PH-ED-03"),
    (
        "The pharmacy screen shows the old allergy list for one patient, we hold the antibiotic",
        "pharm.sample@example.org",
        "Pharmacy",
        "",
    ),
    ("Please order a second monitor for the new coding clerk who starts Monday", "him.sample@example.org", "", ""),
    ("Locked out after my holidays", "md.sample@example.org", "", ""),
    ("When does the cafeteria open on Sunday?", "visitor.sample@example.org", "", ""),
    (
        "A fax with somebody's lab results came to our office, it is not our patient",
        "office.sample@example.org",
        "Clinic B",
        "",
    ),
    ("Excel freezes whenever I open the staffing sheet", "staffing.sample@example.org", "", ""),
    ("Wifi is gone in the family waiting room", "volunteer.sample@example.org", "Waiting room", ""),
    ("Je n'ai plus de son dans mes rencontres Teams", "adjointe.exemple@example.org", "", ""),
    ("Paper jam in the big copier, tray 3", "unit.clerk@example.org", "3 North", "MFP-3N-01"),
)
_CARE = {"The pharmacy screen shows the old allergy list for one patient, we hold the antibiotic"}

MESSAGES = tuple(
    Message(
        raw_text=text,
        channel="demo",
        external_id=f"demo-{number}",
        requester=requester,
        unit=unit,
        device=device,
        impact=ClinicalImpact(affects_care=True if text in _CARE else None),
    )
    for number, (text, requester, unit, device) in enumerate(_ROWS, 1)
)
