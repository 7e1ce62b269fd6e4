"""Owns the words that mean danger, harm or an outage whatever the model says; refuses to weigh or guess.

A phrase is a few words: `lock*` matches any ending, `~` stands for up to three
words between. Matching ignores case, accents, zero-width characters, look-alike
letters, full-width forms and digits written for letters, because people under
stress and people who hide something write alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from triage.policy import ExtraCues

GAP = 3  # words that "~" may stand for

# The floor. A hospital adds its own phrases in policy.yaml and can remove none of these.
# Each phrase is chosen to be rare in harmless tickets: a cue alone sends a ticket to security.
SECURITY = """
gift card*|bitcoin|anydesk|hacked by|pwned|xmrig|enable content|bank details ~ changed|new bank details
from microsoft ~ called|mouse ~ moving by itself|cursor ~ moving by itself|held the door ~ badge
logged in from ~ country|scanned ~ qr ~ password
ransomware ~ pay|ransom note|files ~ encrypted|pay ~ bitcoin|bitcoin ~ files|rancongiciel
entered ~ password ~ link|typed ~ password ~ page|put ~ password ~ link|clicked ~ link ~ password
clicked ~ suspicious link|clicked ~ phishing|clicked ~ weird link|opened ~ suspicious attachment
gave ~ my password|gave him ~ password|gave her ~ password|gave them ~ password|told ~ my password
shared ~ my password|gave ~ the code|read ~ the code ~ phone|approved ~ prompt ~ not me
approved ~ did not request|fake login page|fake sign in page|phishing email|phishing mail|phishing message
phishing attempt|spear phishing|stolen laptop|laptop ~ stolen|stolen phone|phone ~ stolen|tablet ~ stolen
stolen tablet|stolen badge|badge ~ stolen|lost ~ laptop|lost ~ usb|lost ~ work phone|found ~ usb stick
found ~ usb key|found ~ usb drive|wrong patient ~ email|emailed ~ wrong patient|faxed ~ wrong
fax ~ wrong number|mailed ~ wrong patient|sent ~ wrong recipient|sent ~ patient ~ wrong person
patient list ~ wrong|results ~ wrong patient ~ portal|looked ~ chart ~ without|snooping|peeking ~ chart
reading ~ chart ~ neighbour|opened ~ chart ~ ex|logged in ~ from russia|sign in ~ from another country
sign in ~ from nigeria|someone ~ logged in ~ as me|using my login|using my account|my account ~ hacked
account ~ been hacked|computer ~ hacked|been compromised|account ~ compromised|password ~ sticky note
password ~ post it|passwords taped|tailgat*|followed me ~ badge door|malware|trojan virus|gift cards ~ boss
buy gift cards|changed ~ bank details ~ email
"""
SECURITY_FR = """
carte* cadeau*|souris ~ toute seule|activer le contenu|pirate par|tenu la porte|virement ~ urgent|faux ~ technicien
hameconnage|courriel ~ hameconnage|courriel frauduleux|fraude du president|clique ~ lien ~ douteux
clique ~ lien ~ suspect|entre ~ mot de passe ~ lien|tape ~ mot de passe ~ page|donne ~ mon mot de passe
donne ~ mot de passe ~ telephone|donne ~ le code|fausse page de connexion|portable ~ vole|ordinateur ~ vole
telephone ~ vole|tablette ~ volee|carte ~ volee|cle usb ~ trouvee|trouve ~ cle usb|perdu ~ cle usb
perdu ~ portable|perdu ~ tablette|envoye ~ mauvais destinataire|envoye ~ mauvaise personne
envoye ~ mauvais patient|telecopie ~ mauvais numero|fax ~ mauvais numero|dossier ~ sans raison
fouille ~ dossier|furet*|compte ~ pirate|piratage|compte ~ compromis|fichiers ~ chiffres|payer ~ rancon
logiciel malveillant|mot de passe ~ post it|mot de passe ~ colle|connexion ~ suspecte
demande* ~ approbation ~ pas moi|cartes cadeaux
"""
HARM = """
code blue|code pink|crash cart|patient ~ crashing|pt ~ crashing|coding now|cardiac arrest|resus
patient ~ at risk|patient safety|safety risk|unsafe for patient*|patient* ~ harm*|near miss|wrong dose
wrong drug|wrong med*|wrong blood|cannot ~ give ~ med*|can't ~ give ~ med*|cant ~ give ~ med*
can't ~ get ~ med*|cannot ~ get ~ med*|missed dose|late dose|delayed dose|overdue dose|patient* waiting
pt waiting|pts waiting|patient* ~ on the table|pt ~ on the table|mid procedure|mid case|during surgery
surgery delayed|case delayed|or delayed|case on hold|procedure on hold|cannot see ~ allerg*
can't see ~ allerg*|allerg* ~ missing|allergies not|infusion pump*|ventilator*|monitor alarm*|alarms ~ not
telemetry|fetal monitor*|cardiac monitor*|vital* ~ not|chest pain|stroke|sepsis|bleeding|hemorrhage
haemorrhage|seizure*|unresponsive|suicid*|intubat*|trauma bay|emergency c section|stat|blood bank
transfusion|crossmatch|critical result*|critical value*|critical lab*|care ~ stopped|care ~ delayed
cannot treat|can't treat|cannot care|delaying care|delay* ~ treatment|affect* patient care
patient care ~ affected|impact* patient care|overhead page ~ not|pager* ~ not ~ code|call bell*|nurse call
panic button*|duress|insulin|heparin|morphine|narcotic*|epinephrine|chemo*|dialysis
"""
HARM_FR = """
code bleu|code rose|chariot de reanimation|arret cardiaque|patient ~ a risque|securite des patients
securite du patient|mauvaise dose|mauvais medicament|mauvais patient|ne peut ~ donner ~ medicament*
peux pas ~ donner ~ medicament*|pas ~ acces ~ medicament*|dose* manquee*|dose* en retard|patient* ~ attend*
patient* en attente|usager* ~ attend*|patient sur la table|en pleine chirurgie|chirurgie retardee
salle ~ en attente|bloc ~ retarde*|allergie*|pompe* a perfusion|respirateur*|ventilateur*|alarme* ~ pas
moniteur* cardiaque*|moniteur* foeta*|telemetrie|douleur* thoracique*|avc|hemorragie|saigne*|convulsion*
inconscient*|suicid*|intub*|cesarienne urgente|stat|banque de sang|transfusion*|valeur* critique*
resultat* critique*|soins ~ arretes|soins ~ retardes|soins ~ interrompus|impact ~ soins|affecte ~ soins
cloche* d appel|appel de garde|bouton* panique|insuline|heparine|morphine|narcotique*|chimio*|dialyse
"""
IDENTITY = """
password|passwords|passcode|pass code|pin|mfa|2fa|two factor|multi factor|authenticator|locked out
lock* ~ account|account ~ lock*|unlock*|reset my|new phone ~ code|verification code|one time code
security question*|token code
"""
IDENTITY_FR = """
mot de passe|mots de passe|mdp|nip|authentificateur|double authentification|deux facteurs
compte ~ verrouille*|compte ~ bloque*|barre* ~ compte|deverrouill*|reinitialis*|code de verification
code a usage unique
"""
OUTAGE = """
down ~ everyone|everyone ~ down|whole hospital|entire hospital|whole site|site wide|hospital wide|house wide
outage|all ~ computers ~ down|system is down|nothing works anywhere|all units|every unit|multiple units
downtime
"""
OUTAGE_FR = """
panne generale|panne majeure|tout l hopital|tout le monde ~ panne|plus rien ne fonctionne|systeme ~ en panne
tous les postes|toutes les unites|tous les etages
"""
WIDE = """
everyone|everybody|whole unit|entire unit|whole floor|entire floor|whole department|entire department
whole team|all of us|all staff|all the computers|all the phones|nobody can|no one can|multiple users
several users|whole ward|entire ward|all nurses|the whole clinic
"""
WIDE_FR = """
tout le monde|toute l unite|tout l etage|tout le departement|toute l equipe|tous les collegues
personne ne peut|personne peut|plusieurs usagers|plusieurs utilisateurs|toute la clinique
tous les ordinateurs|tous les telephones|on est tous
"""
# Patient data in wrong hands. These words route nothing: they tell which security tickets the breach register takes.
PRIVACY = """
wrong patient*|wrong person|wrong recipient*|wrong fax*|wrong number|wrong address|wrong family|wrong mother
wrong clinic|wrong doctor*|wrong group|wrong list|wrong distribution|wrong email*|wrong e mail*|wrong inbox
wrong printer|wrong envelope*|wrong portal
other patient* ~ result*|another patient*|someone else ~ chart|someone else ~ result*
misdirected|mis sent|missent|sent ~ by mistake|sent ~ in error|emailed ~ by mistake|faxed ~ by mistake
snoop*|peek*|looked ~ chart*|looking ~ chart*|looked up ~ chart*|looked ~ record*|opened ~ chart*|opened ~ record*
reading ~ chart*|accessed ~ chart*|accessed ~ record*|access* ~ without ~ reason|not ~ patient of|not her patient
not his patient|ex ~ chart|neighbo* ~ chart|coworker* ~ chart|colleague* ~ chart|vip ~ chart|celebrity ~ chart
patient list*|patient data|patient information|patient info|patient record*|patient photo*|phi|health information
lost ~ laptop|lost ~ usb|lost ~ tablet|lost ~ phone|lost ~ paper*|stolen ~ laptop|laptop ~ stolen|stolen ~ usb
tablet ~ stolen|phone ~ stolen|backpack ~ stolen|car ~ broken into|recycl* ~ patient|trash ~ patient|garbage ~ patient
whatsapp ~ patient*|patient* ~ whatsapp|facebook ~ patient*|instagram ~ patient*|personal gmail|my gmail|privacy breach
breach of privacy|privacy incident|confidentiality
"""
PRIVACY_FR = """
mauvais patient*|mauvaise patiente|mauvaise personne|mauvais destinataire*|mauvais numero|mauvais fax|mauvaise adresse
mauvais dossier|mauvaise famille|mauvais groupe|mauvaise liste|mauvais courriel|mauvaise imprimante|autre patient*
autre usager*|par erreur|fouill*|furet*|espionn*|consult* ~ dossier*|regard* ~ dossier*|ouvert ~ dossier*
acces ~ dossier*|sans raison|sans motif|liste de* patient*|liste d usager*|donnees ~ patient*|donnees ~ usager*
renseignements personnels|renseignements ~ patient*|portable ~ vole*|ordinateur ~ vole*|tablette ~ vole*
cle usb ~ perdu*|perdu ~ cle usb|perdu ~ portable|perdu ~ tablette|vol ~ portable|recyclage ~ patient*
poubelle ~ patient*|photo* ~ patient*|whatsapp|gmail personnel|confidentialite|bris de confidentialite
atteinte ~ vie privee|incident de confidentialite
"""

_FLOOR = {
    "security": SECURITY + SECURITY_FR,
    "harm": HARM + HARM_FR,
    "identity": IDENTITY + IDENTITY_FR,
    "outage": OUTAGE + OUTAGE_FR,
    "wide": WIDE + WIDE_FR,
    "privacy": PRIVACY + PRIVACY_FR,
}

_WORD = re.compile(r"[^\W_]+")
_LEET = str.maketrans("013457", "oieast")
# Letters of other alphabets that look like Latin ones, enough for disguised danger words.
_LOOKALIKE = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u0261\u03b1\u03bf\u03c1\u03c5\u03bd\u03b9\u043a\u043c\u0442\u0432\u043d",
    "aeopcyxijshdqgaopuvikmtbh",
)


def words(text: str) -> list[str]:
    """Return the lower-case words of `text` with accents, disguises and apostrophes removed."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text).translate(_LOOKALIKE)
        text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf", "Me"))
    found = _WORD.findall(text.lower().translate(_LOOKALIKE).replace("'t", "t").replace("’t", "t"))
    return [_undisguise(word) for word in found]


def _undisguise(word: str) -> str:
    """Read digits inside a mostly alphabetic word as the letters they imitate."""
    if word.isalpha() or word.isdigit():
        return word
    letters = sum(c.isalpha() for c in word)
    return word.translate(_LEET) if letters * 3 >= len(word) * 2 and len(word) >= 5 else word


@dataclass(frozen=True)
class Phrase:
    """One cue: `name` as written, its parts, "~" as gaps."""

    name: str
    parts: tuple[str, ...]

    def matches(self, tokens: list[str], at: int) -> bool:
        """Tell whether the phrase starts at token `at`."""
        return _match(self.parts, 0, tokens, at)


def _match(parts: tuple[str, ...], index: int, tokens: list[str], at: int) -> bool:
    if index == len(parts):
        return True
    if parts[index] == "~":
        return any(_match(parts, index + 1, tokens, at + skip) for skip in range(GAP + 1))
    return at < len(tokens) and _same(parts[index], tokens[at]) and _match(parts, index + 1, tokens, at + 1)


def _same(part: str, token: str) -> bool:
    return token.startswith(part[:-1]) if part.endswith("*") else token == part


class Lexicon:
    """Phrases of several kinds, indexed by the first letters of their first word: a text is read once."""

    def __init__(self, phrases: Iterable[tuple[str, str]]) -> None:
        self._index: dict[str, list[tuple[str, Phrase]]] = {}
        for kind, name in dict.fromkeys((kind, " ".join(name.split())) for kind, name in phrases):
            if parts := tuple(part for raw in name.split() for part in _parts(raw)):
                self._index.setdefault(parts[0].rstrip("*")[:3], []).append((kind, Phrase(name, parts)))

    def find(self, tokens: list[str]) -> dict[str, tuple[str, ...]]:
        """Return the names of all phrases found per kind, in order of appearance, each once."""
        found: dict[str, dict[str, None]] = {}
        for at, token in enumerate(tokens):
            for start in {token[:1], token[:2], token[:3]}:  # a stem such as "or*" may be shorter than three
                for kind, phrase in self._index.get(start, ()):
                    if phrase.matches(tokens, at):
                        found.setdefault(kind, {})[phrase.name] = None
        return {kind: tuple(names) for kind, names in found.items()}


def _parts(raw: str) -> list[str]:
    if raw == "~":
        return [raw]
    star = "*" if raw.endswith("*") else ""
    parts = words(raw.rstrip("*"))
    return [*parts[:-1], parts[-1] + star] if parts else []


@dataclass(frozen=True)
class Cues:
    """What the words of one text say, by kind."""

    security: tuple[str, ...] = ()
    harm: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    outage: tuple[str, ...] = ()
    wide: tuple[str, ...] = ()
    privacy: tuple[str, ...] = ()


@lru_cache(maxsize=8)
def _lexicon(extra: ExtraCues) -> Lexicon:
    phrases = []
    for kind, floor in _FLOOR.items():
        own = getattr(extra, kind)
        phrases += [(kind, name) for name in (*floor.replace("\n", "|").split("|"), *own.en, *own.fr)]
    return Lexicon(phrases)


def find_cues(text: str, extra: ExtraCues) -> Cues:
    """Return every cue in a masked text, the floor's and the hospital's."""
    return Cues(**_lexicon(extra).find(words(text)))
