"""Words that only hold a sentence together, in the languages whose themes are named.

Belongs here: English and Portuguese words, and single Chinese characters in both scripts. A language that is missing
still has themes; their names then hold such words.
"""

from __future__ import annotations

_ENGLISH = """
a about after again all also am an and another any are as at be because been before being both but by can could did do
does down during each even every few for from further get got had has have having he her here him his how i if in into
is it its itself just let like made make many me more most much my myself no nor not now of off on once one only or
other our out over own per really same she should so some still such than that the their them then there these they
this those though through to too two under until up upon us very was we were what when where which while who whom why
will with would yet you your yours ve ll re don didn doesn isn wasn t s d m
"""
_PORTUGUESE = """
a ainda ao aos aquela aquele aqui as até cada com como da das de dela dele deles depois do dos e ela elas ele eles em
era essa esse esta está estão estava este estou eu foi fiz for foram há isso isto já lá lhe mais mas me mesmo meu meus
minha minhas muita muito na nada nas nem no nos nossa nosso num numa não nao o os ou para pela pelas pelo pelos pois por
porque pra pro qual quando que quem se sem ser seu seus será si sido sou sua suas só também te tem tenho ter teve tinha
todo todos toda todas tudo tão um uma uns vc você vocês vez vou ja so q pq eh esta tava
"""
_CHINESE = (
    "的了是我你他她它们們在也都就和与與及很不没沒有个個这這那哪着著过過到得地吗嗎呢吧啊"
    "把被让讓给給对對从從为為以而且但或又还還再才最更太真会會能可要想"
)

STOP_WORDS = frozenset([*_ENGLISH.split(), *_PORTUGUESE.split(), *_CHINESE])
