"""Owns the guess of a message's language from its commonest words; refuses to translate."""

from __future__ import annotations

import unicodedata

from triage.cues import words

OTHER = "other"
SAMPLE = 1000  # characters read: the language does not change later

_COMMON = {
    "en": """
        the is it my and to a of in not for on with i we this that have has be are was when please cant
        cannot can you from does doesnt wont dont no need help how out at down new still again work working
        does printer password phone
    """,
    "fr": """
        l d j qu le la les des du un une et est je on pas ne mon ma mes notre nos dans pour avec sur qui que au aux
        en ce cette nous vous il elle ca depuis plus svp bonjour merci peut peux marche fonctionne
        imprimante ordinateur ecran reseau telephone courriel passe mot besoin comment panne bloque compte
        impossible connexion dossier toujours
    """,
    "es": """
        el los las una es y en por con para que mi no se del impresora contrasena ayuda funciona puedo tengo
        necesito
    """,
    "de": """
        der die das und ist nicht ich ein eine mit auf fur von wir bitte kann mein drucker geht passwort
        hilfe
    """,
    "pt": """
        o os as uma nao em por com para que meu minha se do da impressora senha ajuda funciona preciso estou
    """,
    "it": """
        il lo gli una non di per con che mi sono stampante aiuto funziona posso ho bisogno della
    """,
}
_LANGUAGES_OF = {
    word: tuple(language for language, text in _COMMON.items() if word in text.split())
    for word in " ".join(_COMMON.values()).split()
}


def guess(text: str) -> str:
    """Return "en", "fr" or "other".

    Text without a single known word is English when it is written in Latin letters:
    most such tickets are a product and a fault ("Zebra 4W offline").
    """
    text = text[:SAMPLE]
    if not text.isascii():
        letters = [c for c in text if c.isalpha()]
        if sum("LATIN" in unicodedata.name(c, "") for c in letters) * 2 < len(letters):
            return OTHER
    scores = dict.fromkeys(_COMMON, 0)
    for word in words(text):
        for language in _LANGUAGES_OF.get(word, ()):
            scores[language] += 1
    # "le lecteur partagé a disparu": its only accent tells it from English.
    scores["fr"] += any(accent in text for accent in "éèêëàâçùûîôœ")
    best = max(scores.values())
    if best == 0 or scores["en"] == best:
        return "en"
    if scores["fr"] == best:
        return "fr"
    # Another language must clearly win: Latin languages share many short words.
    return OTHER if best >= 3 and best >= 2 * max(scores["en"], scores["fr"]) else "fr" if scores["fr"] else "en"
