"""Owns what the bot says by itself, in English and French; refuses to decide."""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, str]] = {
    "filed": (
        "Got it: {ref}. You will find the answer in our direct messages.",
        "C'est noté : {ref}. La réponse arrive en message direct.",
    ),
    "not_saved": (
        "I could not save this. Please call the service desk.",
        "Je n'ai pas pu enregistrer votre message. Appelez le centre de services, s'il vous plaît.",
    ),
    "empty": ("Please say what is wrong.", "Dites ce qui ne va pas, s'il vous plaît."),
    "masked": (
        "I hid what looks like patient data ({kinds}). Your own message still shows it: please delete it.",
        "J'ai caché ce qui semble identifier un patient ({kinds}). Votre message le montre encore : effacez-le.",
    ),
    "fixed": ("Glad to hear it. {ref} is closed.", "Tant mieux. {ref} est fermé."),
    "not_fixed": ("A person takes over now ({ref}).", "Une personne prend la relève ({ref})."),
    "claimed": ("{who} has {ref}.", "{who} s'occupe de {ref}."),
    "resolved": ("{who} resolved {ref}.", "{who} a réglé {ref}."),
    "reopened": ("{ref} is open again. Someone will look.", "{ref} est rouvert. Quelqu'un va regarder."),
    "not_allowed": ("You may not do that with {ref}.", "Vous ne pouvez pas faire cela avec {ref}."),
    "too_late": ("That is not possible any more: {why}", "Ce n'est plus possible : {why}"),
    "corrected": ("Noted: {ref} is {category}.", "C'est noté : {ref} est {category}."),
    "button_fixed": ("That fixed it", "C'est réglé"),
    "button_not_fixed": ("Still broken", "Toujours en panne"),
    "button_reopen": ("Not solved", "Pas réglé"),
    "button_claim": ("Claim", "Je m'en occupe"),
    "button_resolve": ("Resolve", "Régler"),
    "button_correct": ("Wrong category", "Mauvaise catégorie"),
    "form_title": ("Ask IT", "Demander aux TI"),
    "form_send": ("Send", "Envoyer"),
    "form_cancel": ("Cancel", "Annuler"),
    "form_hint": ("No patient names or numbers, please.", "Sans nom ni numéro de patient, s'il vous plaît."),
    "button_new": ("Report a problem", "Signaler un problème"),
    "home_open": ("Your open tickets", "Vos billets ouverts"),
    "home_solved": ("Solved lately", "Réglés récemment"),
    "home_none": ("Nothing is open. All is well, we hope.", "Rien n'est ouvert. Tout va bien, espérons-le."),
    "state_new": ("we are reading it", "nous le lisons"),
    "state_open": ("a person has it, answer by {by}", "une personne s'en occupe, réponse d'ici {by}"),
    "state_waiting": ("we wait for your word", "nous attendons votre réponse"),
    "yes": ("Yes", "Oui"),
    "no": ("No", "Non"),
    "note": ("What was done? The reporter reads this.", "Qu'a-t-on fait? La personne le lira."),
}
# The labels that the contract fixes stay as they are in English.
LABELS = {
    "what": ("What is wrong?", "Qu'est-ce qui ne va pas?"),
    "where": ("Where are you?", "Où êtes-vous?"),
    "device": ("Device tag", "Étiquette de l'appareil"),
    "care": ("Is patient care affected?", "Les soins sont-ils touchés?"),
}


def say(name: str, language: str = "en", **values: str) -> str:
    """Return one sentence in a language, English for any other than French."""
    english, french = SENTENCES[name] if name in SENTENCES else LABELS[name]
    return (french if language == "fr" else english).format(**values)
