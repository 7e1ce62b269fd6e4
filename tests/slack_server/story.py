"""Owns the lines of a played conversation: every way in, and every turn a ticket can take; refuses to wire anything."""

STUCK = "zebra label printer on 4W prints blank labels"
CHART = "the EHR chart of my unit shows the wrong weight after the update"
PHISHED = "I clicked a link in a phishing email and typed my password on the page"
FRENCH = "l'imprimante d'étiquettes Zebra du 4 Ouest imprime des étiquettes vierges"


def tell(stage):
    """Play every scene."""
    for scene in (a_fix_that_helps, a_fix_that_does_not, other_ways_in, a_question, security, in_french):
        stage.say(f"\n--- {scene.__doc__}")
        scene(stage)
        stage.slack.settle()


def a_fix_that_helps(stage):
    """A direct message, a guided fix, one tap."""
    nina = stage.nina
    stage.does(nina, f"(direct message) {STUCK}")
    message = nina.direct(STUCK)
    answer = stage.answer(message, "That fixed it")
    stage.does(nina, "taps [That fixed it]")
    nina.click("That fixed it", answer)
    stage.answer(message, "is closed")
    stage.does(nina, "taps [Good help]")
    nina.click("Good help", answer)
    stage.answer(message, "Thank you for telling us")


def a_fix_that_does_not(stage):
    """A mention, a fix that does not help: claimed, corrected, resolved and opened again."""
    nina, alex, slack = stage.nina, stage.alex, stage.slack
    stage.does(nina, f"(mentions the bot in #ward-4w) {STUCK}, again")
    message = nina.mention(stage.ward, f"{STUCK}, again")
    answer = stage.answer(message, "That fixed it")
    stage.does(nina, "taps [Still broken]")
    nina.click("Still broken", answer)
    card = stage.team("it-workplace", "the guided fix did not help")
    stage.does(alex, "taps [Claim]")
    alex.click("Claim", card)
    stage.answer(message, "is looking at")
    stage.until(lambda: "alex.sample" in card.shown)
    stage.does(alex, "chooses [Wrong category]: Equipment and software requests")
    alex.choose("Wrong category", stage.services.policy.categories["equipment_request"].label.en, card)
    moved = stage.team("it-requests", "a person says that it is")
    stage.until(lambda: "was handed to" in card.shown)
    stage.does(alex, "taps [Resolve]")
    alex.click("Resolve", moved)
    stage.form(alex, {"What was done? The reporter reads this.": "A new print head is in."})
    told = stage.answer(message, "A new print head is in.")
    stage.does(nina, "taps [Not solved]")
    nina.click("Not solved", told)
    stage.answer(message, "is open again")
    stage.waits_for("#it-requests, under the card", "not solved", lambda: slack.thread(moved.channel, moved)[1:])
    stage.does(alex, "taps [Resolve]")
    alex.click("Resolve", moved)
    stage.form(alex, {"What was done? The reporter reads this.": "The roll was in upside down; turned it."})
    stage.answer(message, "upside down")


def other_ways_in(stage):
    """The command, its form, both shortcuts and Home."""
    nina, slack = stage.nina, stage.slack
    stage.does(nina, f"/it {CHART}")
    said = nina.command("/it", CHART).answer
    stage.say(f" IT help  (to nina alone) {said if isinstance(said, str) else said['text']}")
    stage.direct(nina, "Clinical applications")
    stage.does(nina, "/it")
    nina.command("/it")
    stage.form(nina, {"What is wrong?": CHART, "Where are you?": "4 West", "Is patient care affected?": "Yes"})
    stage.team("it-clinical-apps", "patient care")
    said = nina.write(stage.ward, f"does anybody know why {CHART}?")
    stage.does(nina, "chooses [Ask IT about this] over a message in #ward-4w")
    nina.shortcut("file_ticket", said)
    stage.form(nina, {})
    stage.does(nina, "chooses the shortcut [Ask IT]")
    nina.global_shortcut("new_ticket")
    stage.form(nina, {"What is wrong?": CHART})
    nina.open_home()
    stage.until(lambda: nina.home)
    stage.does(nina, "opens Home and taps [Report a problem]")
    nina.click("Report a problem")
    stage.form(nina, {"What is wrong?": CHART})
    stage.until(lambda: slack.seen_by(nina).texts and "IT-7" in slack.seen_by(nina))
    stage.say(f" IT help  (Home) {' / '.join(_home(nina))[:500]}")


def a_question(stage):
    """IT asks, the reporter answers and says who is affected; a note stays with IT."""
    nina, alex, slack = stage.nina, stage.alex, stage.slack
    stage.does(nina, f"(direct message) {CHART}, since noon")
    message = nina.direct(f"{CHART}, since noon")
    answer = stage.answer(message, "Clinical applications")
    card = stage.team("it-clinical-apps", "since noon")
    stage.does(nina, "taps [Patient care is affected]")
    nina.click("Patient care is affected", answer)
    stage.until(lambda: "Patient care is affected" not in answer.buttons)
    stage.does(alex, "(in the card's thread, for IT alone) I think it is the Tuesday release")
    alex.write(card.channel, "I think it is the Tuesday release", thread=card)
    stage.does(alex, "taps [Reply to reporter]")
    alex.click("Reply to reporter", card)
    question = "Which chart tab is it?"
    stage.form(
        alex, {"What shall the reporter read?": question, "Do you need an answer?": ["Yes, the ticket waits for it"]}
    )
    stage.answer(message, question)
    stage.does(nina, "(in the thread) the growth chart, every baby on the unit")
    nina.direct("the growth chart, every baby on the unit", thread=message)
    stage.waits_for("#it-clinical-apps, under the card", "growth chart", lambda: slack.thread(card.channel, card)[1:])
    assert "Tuesday release" not in slack.seen_by(nina)


def security(stage):
    """A security ticket: acknowledged by nobody, it climbs the ladder."""
    nina, sam = stage.nina, stage.sam
    stage.does(nina, f"(direct message) {PHISHED}")
    message = nina.direct(PHISHED)
    stage.answer(message, "Information security has your message")
    card = stage.team("it-security", "P1")
    for step in stage.services.policy.teams["security"].escalation:
        stage.say(f"          ... {step.after_minutes} minutes after the message, nobody has answered")
        stage.clock.passes(minutes=step.after_minutes + 1)
        stage.team(step.channel, "without an answer")
    stage.does(sam, "taps [Acknowledge]")
    sam.click("Acknowledge", card)
    stage.answer(message, "is looking at")


def in_french(stage):
    """En français, du début à la fin."""
    marie, alex = stage.marie, stage.alex
    stage.does(marie, f"(message direct) {FRENCH}")
    message = marie.direct(FRENCH)
    answer = stage.answer(message, "C'est réglé")
    stage.does(marie, "(dans le fil) toujours en panne")
    marie.direct("toujours en panne", thread=message)
    stage.until(lambda: "C'est réglé" not in answer.buttons)
    card = stage.team("it-workplace", FRENCH[:40])
    stage.does(alex, "taps [Claim]")
    alex.click("Claim", card)
    stage.answer(message, "s'occupe de")
    stage.does(alex, "taps [Resolve]")
    alex.click("Resolve", card)
    stage.form(alex, {"What was done? The reporter reads this.": "Rouleau remplacé."})
    told = stage.answer(message, "Rouleau remplacé")
    stage.does(marie, "touche [Bonne aide]")
    marie.click("Bonne aide", told)
    stage.answer(message, "Merci de nous l'avoir dit")
    marie.command("/it")
    stage.until(lambda: marie.view)
    marie.fill({"Qu'est-ce qui ne va pas?": FRENCH})
    marie.submit()
    marie.open_home()
    stage.until(lambda: marie.home)
    stage.say(f" IT help  (Accueil) {' / '.join(_home(marie))[:300]}")


def _home(person):
    blocks = person.home.content["blocks"]
    return [block["text"]["text"] for block in blocks if block["type"] in ("header", "section")]
