"""The guided fixes are complete in both languages, the one that fits is found, and a broken file is named."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import POLICY
from triage import knowledge
from triage.knowledge import ArticleError, Knowledge
from triage.ticket import LANGUAGES

BUILT_IN = knowledge.load()
SLUGS = sorted({slug for slug, _ in BUILT_IN.articles})
ARTICLES = [pytest.param(article, id=f"{slug}.{spoken}") for (slug, spoken), article in BUILT_IN.articles.items()]
MINOR = sorted(slug for slug, category in POLICY.categories.items() if category.minor)


def both(slug):
    return [BUILT_IN.articles[slug, spoken] for spoken in LANGUAGES]


def steps(article):
    return [int(number) for number in re.findall(r"^(\d+)\. ", article.body, re.MULTILINE)]


# --- the built-in articles ------------------------------------------------------------


def test_there_are_at_least_twenty_five_articles():
    assert len(SLUGS) >= 25


@pytest.mark.parametrize("slug", SLUGS)
def test_every_article_is_there_in_both_languages(slug):
    assert {spoken for found, spoken in BUILT_IN.articles if found == slug} == set(LANGUAGES)


@pytest.mark.parametrize("slug", SLUGS)
def test_both_languages_agree_on_everything_but_words(slug):
    english, french = both(slug)
    assert (english.category, english.minutes_saved, english.general, english.owner, english.written) == (
        french.category,
        french.minutes_saved,
        french.general,
        french.owner,
        french.written,
    )
    assert steps(english) == steps(french)


@pytest.mark.parametrize("slug", SLUGS)
def test_the_two_languages_are_not_the_same_text(slug):
    english, french = both(slug)
    assert english.title != french.title
    assert english.body != french.body


@pytest.mark.parametrize("article", ARTICLES)
def test_every_article_has_a_title_symptoms_and_four_to_eight_numbered_steps(article):
    assert article.title.strip()
    assert len(article.symptoms) >= 5
    assert steps(article) == list(range(1, len(steps(article)) + 1))
    assert 4 <= len(steps(article)) <= 8


@pytest.mark.parametrize("article", ARTICLES)
def test_every_article_says_when_to_stop_and_how_to_check(article):
    stop, check = {
        "en": ("**Stop and tell us if**", "**Did it work?**"),
        "fr": ("**Arr\u00eatez et dites-le-nous si**", "**Est-ce r\u00e9gl\u00e9?**"),
    }[article.language]
    body = article.body.replace("\u00a0", " ").replace("\u202f", " ").replace(" ?", "?").replace("\u2019", "'")
    assert stop in body
    assert check in body


@pytest.mark.parametrize("article", ARTICLES)
def test_every_article_belongs_to_a_category_and_saves_believable_minutes(article):
    assert article.category in POLICY.categories
    assert 5 <= article.minutes_saved <= 20


@pytest.mark.parametrize("spoken", LANGUAGES)
def test_each_category_with_articles_has_exactly_one_general_one(spoken):
    articles = [article for article in BUILT_IN.articles.values() if article.language == spoken]
    general = Counter(article.category for article in articles if article.general)
    assert general == dict.fromkeys({article.category for article in articles}, 1)


@pytest.mark.parametrize("category", MINOR)
@pytest.mark.parametrize("spoken", LANGUAGES)
def test_every_minor_category_of_the_policy_has_articles(category, spoken):
    assert BUILT_IN.best(category, "", spoken)


# --- the one that fits ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("category", "text", "slug"),
    [
        ("printer", "the printer on 4W has a paper jam again", "printer-paper-jam"),
        ("printer", "specimen labels come out blank on the Zebra", "printer-blank-labels"),
        ("printer", "printer shows offline on my PC", "printer-offline"),
        ("printer", "everything I print comes out on the wrong printer", "printer-default-changed"),
        ("printer", "it pulls paper from the wrong tray", "printer-wrong-tray"),
        ("printer", "scan to email never arrives", "scan-to-email"),
        ("network_connectivity", "my Wi-Fi keeps dropping in the lounge", "wifi-not-connecting"),
        ("network_connectivity", "VPN keeps disconnecting from home", "vpn-not-connecting"),
        ("network_connectivity", "our shared drive is missing since this morning", "shared-drive-missing"),
        ("email_collaboration", "my mailbox is full and I cannot send", "mailbox-full"),
        ("email_collaboration", "how do I set an out of office", "out-of-office-set"),
        ("email_collaboration", "nobody hears me in the meeting", "meeting-no-audio-or-camera"),
        ("workstation_software", "my computer is so slow today", "computer-slow"),
        ("workstation_software", "cannot open PDF from the intranet", "pdf-will-not-open"),
        ("workstation_software", "my screen is sideways", "screen-resolution-or-zoom"),
        ("telephony_paging", "there is no dial tone in room 412", "phone-no-dial-tone"),
        ("telephony_paging", "no dial tone on the desk phone", "phone-no-dial-tone"),
        ("telephony_paging", "my pager has a low battery", "pager-battery"),
        ("telephony_paging", "my voice badge won't login", "voice-badge-first-checks"),
    ],
)
def test_a_typical_english_sentence_finds_its_article(category, text, slug):
    assert BUILT_IN.best(category, text, "en") == slug


@pytest.mark.parametrize(
    ("category", "text", "slug"),
    [
        ("printer", "bourrage papier dans l'imprimante du 4e", "printer-paper-jam"),
        ("printer", "les \u00e9tiquettes sortent blanches", "printer-blank-labels"),
        ("printer", "imprimante hors ligne depuis ce matin", "printer-offline"),
        ("printer", "\u00e7a sort sur la mauvaise imprimante", "printer-default-changed"),
        ("network_connectivity", "le Wi-Fi coupe souvent au salon", "wifi-not-connecting"),
        ("network_connectivity", "le VPN se d\u00e9connecte sans arr\u00eat", "vpn-not-connecting"),
        ("network_connectivity", "le lecteur partag\u00e9 a disparu", "shared-drive-missing"),
        ("email_collaboration", "ma bo\u00eete courriel est pleine", "mailbox-full"),
        ("email_collaboration", "comment mettre une r\u00e9ponse automatique", "out-of-office-set"),
        ("workstation_software", "mon ordinateur est tr\u00e8s lent", "computer-slow"),
        ("workstation_software", "plus de son, pas de son du tout", "sound-not-working-computer"),
        ("telephony_paging", "pas de tonalit\u00e9 au t\u00e9l\u00e9phone", "phone-no-dial-tone"),
        ("telephony_paging", "la pile du t\u00e9l\u00e9avertisseur est faible", "pager-battery"),
        ("telephony_paging", "le voyant de message reste allum\u00e9", "voicemail-light-or-pin-menu"),
    ],
)
def test_a_typical_french_sentence_finds_its_article(category, text, slug):
    assert BUILT_IN.best(category, text, "fr") == slug


@pytest.mark.parametrize("article", ARTICLES)
def test_every_symptom_finds_the_article_that_lists_it(article):
    elsewhere = [s for s in article.symptoms if BUILT_IN.best(article.category, s, article.language) != article.slug]
    assert elsewhere == []


@pytest.mark.parametrize(
    ("category", "text", "spoken", "slug"),
    [
        ("printer", "the thing by the desk makes a funny noise", "en", "printer-first-checks"),
        ("printer", "la machine fait un dr\u00f4le de bruit", "fr", "printer-first-checks"),
        ("network_connectivity", "", "en", "network-first-checks"),
        ("email_collaboration", "bonjour", "fr", "mail-first-checks"),
        ("workstation_software", "it is acting odd since Tuesday", "en", "computer-first-checks"),
        ("telephony_paging", "\U0001f4de", "en", "phone-first-checks"),
    ],
    ids=["English", "French", "no words", "a greeting", "vague", "an emoji"],
)
def test_the_general_article_stands_in_where_no_symptom_is_named(category, text, spoken, slug):
    assert BUILT_IN.best(category, text, spoken) == slug


@pytest.mark.parametrize("category", ["security_incident", "device_downtime", "clinical_application", "plumbing", ""])
def test_a_category_without_articles_gets_none(category):
    assert BUILT_IN.best(category, "the printer has a paper jam", "en") == ""


def test_another_language_gets_the_english_article():
    assert BUILT_IN.best("printer", "paper jam, hilfe", "other") == "printer-paper-jam"


def test_an_article_of_another_category_is_never_offered():
    assert BUILT_IN.articles[BUILT_IN.best("telephony_paging", "paper jam", "en"), "en"].category == "telephony_paging"


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.sampled_from(MINOR), st.text(max_size=60), st.sampled_from([*LANGUAGES, "other"]))
def test_whatever_is_written_a_minor_category_offers_one_of_its_own_articles(category, text, spoken):
    assert BUILT_IN.get(BUILT_IN.best(category, text, spoken), spoken).category == category


# --- articles of a hospital's own -----------------------------------------------------


def an_article(**changes):
    front = {
        "title": "Clear a paper jam",
        "category": "printer",
        "symptoms": "[paper jam, paper stuck]",
        "minutes_saved": "12",
        "owner": "IT service desk",
        "written": "2026-11-24",
    } | changes
    lines = [f"{key}: {value}" for key, value in front.items() if value is not None]
    return "\n".join(["---", *lines, "---", "Takes two minutes.", "", "1. Open the tray.", ""])


@pytest.fixture
def read(tmp_path):
    """Write files and read them as a folder of articles."""

    def write_and_load(**files) -> Knowledge:
        for name, content in files.items():
            path = tmp_path / f"{name.replace('__', '.')}.md"
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return knowledge.load(tmp_path)

    return write_and_load


def test_an_article_is_read_with_all_its_fields(read):
    article = read(jam__en=an_article()).articles["jam", "en"]
    assert (article.slug, article.language, article.title) == ("jam", "en", "Clear a paper jam")
    assert (article.category, article.symptoms) == ("printer", ("paper jam", "paper stuck"))
    assert (article.minutes_saved, article.owner, article.written) == (12, "IT service desk", "2026-11-24")
    assert not article.general
    assert article.body == "Takes two minutes.\n\n1. Open the tray."


def test_an_article_in_one_language_is_offered_in_english_to_all(read):
    articles = read(jam__en=an_article())
    assert articles.get("jam", "fr").language == "en"
    assert articles.get("jam", "other").language == "en"


def test_an_article_in_the_readers_language_comes_first(read):
    articles = read(jam__en=an_article(), jam__fr=an_article(title="Bourrage papier"))
    assert articles.get("jam", "fr").title == "Bourrage papier"


def test_an_unknown_article_is_none(read):
    assert read(jam__en=an_article()).get("melted", "en") is None


def test_a_general_article_never_beats_a_specific_one_that_fits_as_well(read):
    articles = read(a_general__en=an_article(general="true"), z_specific__en=an_article())
    assert articles.best("printer", "there is a paper jam", "en") == "z_specific"


def test_the_longer_of_two_fitting_symptoms_wins(read):
    articles = read(
        a_short__en=an_article(symptoms="[paper jam]"), z_long__en=an_article(symptoms="[paper jam upper tray]")
    )
    assert articles.best("printer", "paper jam in the upper tray", "en") == "z_long"


@pytest.mark.parametrize(
    ("text", "slug"),
    [("the upper tray melted", "specific"), ("the tray melted", "specific"), ("the tray is empty", "general")],
    ids=["the whole symptom", "two words of three", "one word of three"],
)
def test_a_symptom_counts_from_two_words_out_of_three(read, text, slug):
    articles = read(
        general__en=an_article(symptoms="[odd]", general="true"),
        specific__en=an_article(symptoms="[upper tray melted]"),
    )
    assert articles.best("printer", text, "en") == slug


def test_without_a_general_article_a_text_that_fits_nothing_gets_none(read):
    assert read(jam__en=an_article()).best("printer", "it hums", "en") == ""


def test_line_ends_and_byte_order_marks_of_other_systems_do_not_matter(read):
    content = b"\xef\xbb\xbf" + an_article().replace("\n", "\r\n").encode()
    assert read(jam__en=content).articles["jam", "en"].title == "Clear a paper jam"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "just a text",
        "---\ntitle: no end\n",
        "---\n---\nno front matter\n",
        "---\n- a list\n---\nbody\n",
        "---\na sentence\n---\nbody\n",
        an_article(title=None),
        an_article(category=None),
        an_article(symptoms=None),
        an_article(minutes_saved=None),
        an_article(owner=None),
        an_article(written=None),
        an_article(title="[never closed"),
        an_article(minutes_saved="a few"),
        an_article(minutes_saved="[12]"),
        an_article(minutes_saved=".inf"),
        an_article(symptoms=""),
        an_article(symptoms="7"),
        an_article(symptoms="paper jam"),
        an_article(written="2026-99-99"),
        an_article().encode("utf-16"),
        b"---\ntitle: \xff\n---\n",
    ],
    ids=[
        "empty file",
        "no front matter",
        "front matter without an end",
        "empty front matter",
        "front matter is a list",
        "front matter is a sentence",
        "no title",
        "no category",
        "no symptoms",
        "no minutes",
        "no owner",
        "no date",
        "not YAML",
        "minutes in words",
        "minutes in a list",
        "minutes without an end",
        "symptoms without a value",
        "symptoms are a number",
        "symptoms are one sentence",
        "a date that is none",
        "UTF-16",
        "not UTF-8",
    ],
)
def test_a_broken_article_is_named(read, content):
    with pytest.raises(ArticleError, match=r"melted\.en\.md: "):
        read(jam__en=an_article(), melted__en=content)


@pytest.mark.parametrize("name", ["melted", "melted__de", "melted__en-CA"], ids=["none", "not ours", "with a country"])
def test_an_article_whose_name_has_no_known_language_is_named(read, name):
    with pytest.raises(ArticleError, match=name.replace("__", ".")):
        read(**{name: an_article()})


def test_an_article_that_cannot_be_read_is_named(read, tmp_path):
    (tmp_path / "melted.en.md").mkdir()
    with pytest.raises(ArticleError, match=r"melted\.en\.md: "):
        read(jam__en=an_article())


def test_other_files_beside_the_articles_are_left_alone(read, tmp_path):
    (tmp_path / "notes.txt").write_text("not an article", encoding="utf-8")
    assert set(read(jam__en=an_article()).articles) == {("jam", "en")}
