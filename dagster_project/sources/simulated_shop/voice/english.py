"""English phrases of the simulated customers, written for this project.

Belongs here: English words. Does not belong here: what a phrase book holds (`phrases.py`).
"""

from __future__ import annotations

from dagster_project.sources.simulated_shop.voice.phrases import Clauses, PhraseBook

_CLAUSES = {
    "quality": Clauses(
        subjects=("the material", "the finish", "the workmanship", "the piece I ordered", "the set", "the build"),
        plain={
            "negative": (
                "started to chip after two weeks",
                "feels thin and flimsy",
                "looks worse than in the pictures",
                "came with scratches and a dent",
                "broke the first time we used it",
                "is carelessly put together",
            ),
            "neutral": ("is about what I expected", "does its job", "is ordinary", "matches the description"),
            "positive": (
                "feels solid and well made",
                "has survived months of daily use",
                "is even better than in the pictures",
                "looks as good as on the first day",
                "is finely worked down to the edges",
                "shows real care",
            ),
        },
        negated={
            "negative": ("is not well made", "is nowhere near as solid as promised", "did not last"),
            "positive": ("is not flimsy at all", "has never let us down", "shows no wear even after a year"),
        },
        wishes=(
            "I hope the next batch is sturdier.",
            "I would like it in a heavier version.",
            "A longer guarantee would be welcome.",
        ),
    ),
    "service": Clauses(
        subjects=(
            "the support team",
            "customer service",
            "the person on the phone",
            "the chat agent",
            "the help desk",
            "whoever read my mail",
        ),
        plain={
            "negative": (
                "kept passing me from one desk to the next",
                "was rude when I asked a second time",
                "left my message lying for a week",
                "sent the same stock reply three times",
                "blamed me for the damage",
                "promised a call and then went silent",
            ),
            "neutral": (
                "replied after two days",
                "asked for my order number",
                "pointed me to the form on the website",
                "answered what I had asked",
            ),
            "positive": (
                "solved my problem within minutes",
                "was friendly and patient",
                "called back as promised",
                "sent a replacement without any fuss",
                "listened and found a good way out",
                "knew the answer straight away",
            ),
        },
        negated={
            "negative": ("did not help me at all", "was not interested in my problem", "has not answered to this day"),
            "positive": ("did not make me wait", "never lost patience with me", "was not pushy in the least"),
        },
        wishes=(
            "A number to call in the evening would help.",
            "Please tell people when they will get an answer.",
            "I expect a reply within a day.",
        ),
    ),
    "brand": Clauses(
        subjects=("this shop", "the brand", "the company", "the label", "this house", "the name on the box"),
        plain={
            "negative": (
                "has lost my trust",
                "talks of values and acts otherwise",
                "is all image and little substance",
                "used to stand for something better",
                "feels like any other mass label by now",
                "hides behind fine words",
            ),
            "neutral": (
                "is one among many for me",
                "is new to me",
                "was in a magazine that I read",
                "stands beside others in my cupboard",
            ),
            "positive": (
                "keeps its word",
                "stands for things that last",
                "is one that I trust by now",
                "cares where its goods come from",
                "has become a favourite in our home",
                "feels honest and down to earth",
            ),
        },
        negated={
            "negative": (
                "is not what it claims to be",
                "does not deserve its good reputation",
                "is no longer one that I believe in",
            ),
            "positive": (
                "has never disappointed me",
                "is not just a pretty logo",
                "does not pretend to be what it is not",
            ),
        },
        wishes=(
            "Tell us more about the makers.",
            "I would like to see where things are made.",
            "Stay as you were in the first years, please.",
        ),
    ),
    "price": Clauses(
        subjects=("the price", "what I paid", "the total at checkout", "the bill", "the price tag", "the full cost"),
        plain={
            "negative": (
                "is far too high for what you get",
                "has gone up again without a reason",
                "is hard to justify",
                "is a third above that of the shop next door",
                "made me regret the order",
                "is pure greed",
            ),
            "neutral": (
                "is about the same as elsewhere",
                "is in the middle of the range",
                "was as shown on the page",
                "is usual for this kind of thing",
            ),
            "positive": (
                "is more than fair",
                "was a real bargain",
                "is low for what you get",
                "beats every other shop that I looked at",
                "left money for a second one",
                "is worth it to the last cent",
            ),
        },
        negated={
            "negative": ("is not justified", "does not fit what arrived", "is not what I call fair"),
            "positive": ("is not high at all for this standard", "was no reason to hesitate", "did not hurt"),
        },
        wishes=(
            "A smaller pack at a lower price would be nice.",
            "Please keep the prices stable for a while.",
            "Free shipping from a lower sum would make me order more often.",
        ),
    ),
    "promotion": Clauses(
        subjects=(
            "the voucher",
            "the spring offer",
            "the discount code",
            "the offer with double points",
            "the gift with the order",
            "the members' offer",
        ),
        plain={
            "negative": (
                "was refused at checkout",
                "had expired before it reached me",
                "turned out to be a trick with small print",
                "was taken off my order afterwards",
                "was gone within the hour",
                "is the same stale deal every week",
            ),
            "neutral": (
                "came by mail on Monday",
                "applies to a part of the range",
                "runs until the end of the month",
                "is there every spring",
            ),
            "positive": (
                "worked at once and saved me a good deal",
                "was a lovely surprise",
                "made me try something new",
                "came just at the right time",
                "was easy to redeem",
                "was truly generous",
            ),
        },
        negated={
            "negative": ("did not work", "was not credited to my account", "was not worth the trouble"),
            "positive": ("came without any catch", "did not force me to buy more", "was no gimmick"),
        },
        wishes=(
            "An offer for loyal customers would be fair.",
            "Please say clearly what is left out of the offer.",
            "Points should not run out so soon.",
        ),
    ),
    "experience": Clauses(
        subjects=("the website", "the app", "the checkout", "the search on the site", "the order page", "the store"),
        plain={
            "negative": (
                "gave up twice while I was paying",
                "is a maze",
                "takes forever",
                "lost my basket",
                "asks for the same details again and again",
                "hides the things that I look for",
            ),
            "neutral": (
                "has changed its layout",
                "shows the usual filters",
                "is like that of other shops",
                "asks for the address first",
            ),
            "positive": (
                "is quick and clear",
                "makes choosing a pleasure",
                "took me there in three steps",
                "is tidy and easy to follow",
                "remembers what I like",
                "feels well thought out",
            ),
        },
        negated={
            "negative": ("is not made for people in a hurry", "does not find anything", "was not usable on Sunday"),
            "positive": ("did not give me any trouble", "never gets in the way", "is not cluttered at all"),
        },
        wishes=(
            "A way to save a list of wishes would be great.",
            "Please let me filter by colour.",
            "I would like to order again with one click.",
        ),
    ),
    "social": Clauses(
        subjects=(
            "the customers' club",
            "the advice of other buyers",
            "the photo contest",
            "the forum",
            "the page where customers share ideas",
            "the circle of regulars",
        ),
        plain={
            "negative": (
                "is full of advertising",
                "feels like a closed circle",
                "drops every critical word",
                "made me warn my friends",
                "is a shouting match",
                "turned sour over a simple question",
            ),
            "neutral": (
                "has a few hundred members",
                "is open to everybody",
                "was mentioned by a colleague",
                "gets an update once a week",
            ),
            "positive": (
                "makes me feel that I belong",
                "gave me three great ideas",
                "is full of kindness",
                "is why my sister orders here too",
                "is a joy to take part in",
                "is the reason why I told all my friends",
            ),
        },
        negated={
            "negative": ("is not welcoming", "does not care what members say", "is nothing to invite a friend to"),
            "positive": (
                "never makes a beginner feel foolish",
                "is not about showing off",
                "does not leave a question open",
            ),
        },
        wishes=(
            "An evening with other customers would be fun.",
            "I would love to share my photos on your page.",
            "Let us vote on the next colours.",
        ),
    ),
    "delivery": Clauses(
        subjects=("the parcel", "the delivery", "my order", "the shipment", "the box", "the package"),
        plain={
            "negative": (
                "came a week late",
                "arrived crushed",
                "went to the wrong address",
                "sat in a depot for days",
                "was left out in the rain",
                "is lost without a trace",
            ),
            "neutral": (
                "came within the usual time",
                "was handed to a neighbour",
                "came in two parts",
                "went to the pick-up point",
            ),
            "positive": (
                "came a day early",
                "arrived in perfect shape",
                "was at the door the next morning",
                "came exactly in the hour announced",
                "reached us abroad without a hitch",
                "was easy to track all the way",
            ),
        },
        negated={
            "negative": ("did not arrive on the promised day", "was not packed with any care", "has not come yet"),
            "positive": (
                "was not an hour late",
                "did not suffer a scratch on the way",
                "never left me guessing where it was",
            ),
        },
        wishes=(
            "Please let me choose the day of delivery.",
            "Less plastic in the box would be good.",
            "A message on the morning of delivery would help.",
        ),
    ),
}

ENGLISH = PhraseBook(
    language="en",
    space=" ",
    stop=".",
    openings={
        "negative": (
            "",
            "I expected more.",
            "What a pity.",
            "I am disappointed.",
            "For the second time in a row:",
            "This was a present.",
            "After four weeks:",
        ),
        "neutral": (
            "",
            "Ordered last month.",
            "First order here.",
            "This was a present.",
            "A short note.",
            "After four weeks:",
            "As asked, my opinion:",
        ),
        "positive": (
            "",
            "Third order here, and happy again.",
            "What a nice surprise.",
            "I rarely write, but this deserves it.",
            "Very pleased.",
            "This was a present.",
            "After four weeks:",
        ),
    },
    closings={
        "negative": (
            "",
            "I will think twice next time.",
            "I want my money back.",
            "Never again.",
            "Please do better.",
            "I am looking elsewhere.",
        ),
        "neutral": ("", "That is all.", "We will see.", "Let us see how it goes on.", "Nothing more to say."),
        "positive": (
            "",
            "I will be back.",
            "Thank you!",
            "My family loves it.",
            "Warmly recommended.",
            "The next order is already planned.",
        ),
    },
    continuing=(", and", ". Besides,", "; what is more,"),
    contrasting=(", but", ". Then again,", "; on the other hand,"),
    requests=(
        "What can you do?",
        "Please send a replacement.",
        "Please let me know how to go on.",
        "I ask for a refund.",
        "Can somebody call me?",
        "How long will it take?",
    ),
    tags=("#lindenkorn", "#lindenkorn #athome", "@lindenkorn", "#slowliving", ""),
    clauses=_CLAUSES,
)
