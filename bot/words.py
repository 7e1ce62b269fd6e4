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
    "not_done": (
        "That did not work; nothing was changed. Please try again, or call the service desk.",
        "Cela n'a pas marché; rien n'a changé. Réessayez, ou appelez le centre de services.",
    ),
    "empty": ("Please say what is wrong.", "Dites ce qui ne va pas, s'il vous plaît."),
    "say_more": (
        "How can IT help? Please say in words what is wrong and where you are.",
        "Comment les TI peuvent-ils aider? Dites en mots ce qui ne va pas et où vous êtes.",
    ),
    "too_slow": (
        "That took too long and Slack let go of it. Please try once more.",
        "C'était trop long et Slack a abandonné. Réessayez, s'il vous plaît.",
    ),
    "help": (
        """Write to me as you would to a colleague: `{command} label printer on 4W is dead`, a direct message, \
or mention me in a channel. `{command}` alone opens a form.
The answer comes within seconds. Reply under it to add something; say “still broken” if it is.
Please leave out patient names and numbers. My Home tab shows your tickets.""",
        """Écrivez-moi comme à un collègue : `{command} imprimante d'étiquettes en panne au 4 Ouest`, un message \
direct, ou une mention dans un canal. `{command}` seul ouvre un formulaire.
La réponse arrive en quelques secondes. Répondez en dessous pour préciser; dites « toujours en panne » si c'est le cas.
Sans nom ni numéro de patient, s'il vous plaît. L'onglet Accueil montre vos billets.""",
    ),
    "not_allowed": ("You may not do that with {ref}.", "Vous ne pouvez pas faire cela avec {ref}."),
    "no_account": (
        "You may not do that with {ref}. If you work in IT, ask an admin for an account with your Slack e-mail.",
        "Vous ne pouvez pas faire cela avec {ref}. Si vous êtes aux TI, demandez un compte à votre courriel de Slack.",
    ),
    "too_late": (
        "That is not possible any more: {why}.",
        "Ce n'est plus possible : le billet a changé entre-temps ({why}).",
    ),
    "button_fixed": ("That fixed it", "C'est réglé"),
    "button_not_fixed": ("Still broken", "Toujours en panne"),
    "button_reopen": ("Not solved", "Pas réglé"),
    "button_affects_care": ("Patient care is affected", "Les soins sont touchés"),
    "button_no_other_device": ("No other device", "Aucun autre appareil"),
    "button_whole_unit": ("The whole unit", "Toute l'unité"),
    "button_rate_good": ("Good help", "Bonne aide"),
    "button_rate_fair": ("So-so", "Moyen"),
    "button_rate_poor": ("Not good", "Pas bien"),
    "button_claim": ("Claim", "Je m'en occupe"),
    "button_acknowledge": ("Acknowledge", "J'ai vu"),
    "button_reply": ("Reply to reporter", "Répondre à la personne"),
    "button_resolve": ("Resolve", "Régler"),
    "button_correct": ("Wrong category", "Mauvaise catégorie"),
    "button_hand_over": ("Hand over to", "Confier à"),
    "button_open": ("Open in browser", "Ouvrir"),
    "not_for_it": ("Not for IT", "Pas pour les TI"),
    "rated": ("Thank you for telling us.", "Merci de nous l'avoir dit."),
    "form_title": ("Ask IT", "Demander aux TI"),
    "form_send": ("Send", "Envoyer"),
    "form_cancel": ("Cancel", "Annuler"),
    "form_hint": ("No patient names or numbers, please.", "Sans nom ni numéro de patient, s'il vous plaît."),
    "button_new": ("Report a problem", "Signaler un problème"),
    "home_outages": ("Known outages", "Pannes connues"),
    "home_outage": (
        "{what}: {where}, known since {since}. IT is on it.",
        "{what} : {where}, depuis {since}. Les TI y travaillent.",
    ),
    "home_everywhere": ("everywhere", "partout"),
    "home_open": ("Your open tickets", "Vos billets ouverts"),
    "home_solved": ("Solved lately", "Réglés récemment"),
    "home_none": ("Nothing is open. All is well, we hope.", "Rien n'est ouvert. Tout va bien, espérons-le."),
    "state_new": ("we are reading it", "nous le lisons"),
    "state_open": ("{team} has it, answer by {by}", "{team} s'en occupe, réponse d'ici {by}"),
    "state_taken": (
        "somebody of {team} is looking at it now",
        "une personne de l'équipe {team} s'en occupe maintenant",
    ),
    "state_waiting": ("we wait for your word", "nous attendons votre réponse"),
    "yes": ("Yes", "Oui"),
    "no": ("No", "Non"),
    "note": ("What was done? The reporter reads this.", "Qu'a-t-on fait? La personne le lira."),
    "reply": ("What shall the reporter read?", "Que doit lire la personne?"),
    "asks": ("Do you need an answer?", "Faut-il une réponse?"),
    "asks_yes": ("Yes, the ticket waits for it", "Oui, le billet l'attend"),
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
