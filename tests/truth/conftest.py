"""The truth tier: nights on simulated shops, compared with what is true of those shops.

Each file here is one shop: a plan, a dirt level, one night, shared by all tests of the file (`pytest --dist loadfile`
gives a file to one process). To add a test of something that the warehouse says, look whether the truth of one of these
shops holds it (`truth/*.parquet` and `truth/shop.json`, described in `sources/simulated_shop/truth.py` and
`metrics/`), and put the test beside the others of that shop. A new shop costs a night, about half a minute of one
processor: add one only for a plan that none of these has.

    test_plain_shop.py        rates, drop-out and spends of the textbook: the models' own world, so they must be right
    test_busy_shop.py         season, promotions, service, programme, campaigns, guests: every count to the cent
    test_busy_voices.py       the talking shop, which has the same effects and more posts: surveys, service, mentions
    test_busy_behaviour.py    what its customers do after they spoke, beside customers who were alike
    test_busy_products.py     what they make of its lines of quality and of its price rise
    test_dirty_shop.py        a shop with effects and dirt: every planted row is met as the register of kinds says
    test_indifferent_shop.py  nothing depends on satisfaction: what must then be the same, is
    test_known_people.py      who is one person, under heavy dirt; no night, the models of identity alone
    test_suggested_merges.py  who may be one person where people mistype; no night either

Persons and accounts: the busy shop resolves identities, and everybody in it can be found, so its customers are compared
with the truth about persons. The other nights take every account for a customer, and are compared with accounts. Only
the plain shop's night back-tests its models and scores past evenings.

A comparison with what is drawn by chance allows four standard errors; all seeds are fixed, so it passes or fails
always. Exact comparisons allow nothing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from known_shop import ONE_CURRENCY, KnownShop
from made_once import made_once

from dagster_project.sources.simulated_shop import ShopPlan


@pytest.fixture(scope="session")
def talking_shop(tmp_path_factory: pytest.TempPathFactory) -> KnownShop:
    """The talking shop and its night, for the files that look at it."""
    plan = ShopPlan(customers=1_500, days=800, seed=22, countries=ONE_CURRENCY)
    plan = replace(plan, orders=replace(plan.orders, second_account_share=0.15))
    plan = replace(plan, voice=replace(plan.voice, mentions=replace(plan.voice.mentions, per_year=3.0)))
    root = made_once(tmp_path_factory, "talking_shop", lambda folder: KnownShop.after_one_night(folder, plan))
    return KnownShop(root, plan)
