"""What to do about a failed rule: what its suite says, or what is to be done about rules of its kind in its layer.

What belongs here: words. A cure says where the fault may lie, which command tells more, and what to run when it is
mended: in raw the source or the settings, in staging the mapping, from there on our code. Why a rule matters is its
`why`; what a waiver does is `dagster_project/waivers.py`.
"""

from __future__ import annotations

from expectations.broken_rows import CONDITIONS, REPEATED
from expectations.suite import Rule, Suite

RAW = (
    "Look at the told rows of the files of {feed}: have the source correct and deliver them again, or, where they are "
    "meant so, follow it in the settings of the feed and its staging model; then `loyalty run`."
)
STAGED = (
    "Look at the told rows of their files: map what they hold in {table}.sql, or name a rule there that refuses them, "
    "so that `loyalty quarantine list` shows them; then `loyalty run`."
)
BUILT = (
    "`loyalty find` names the landed rows of a told key: where the source sent it so, correct it there or map it in "
    "the staging model; where it did not, the fault is in {table}: tell its owner ({owner}); then `loyalty run`."
)
COUNTED = (
    "{table} is made by our code of tables whose own rules held, so the fault is most likely ours: tell its owner "
    "({owner}) which rows are told, with the log of the run, and use none of its numbers until then; `loyalty run` "
    "after the fix."
)
REPEATING = (
    "`loyalty find` names the landed rows of a told key: where the source sends it twice, name its key in the staging "
    "model; where one landed row became two, a join in {table} repeats it: tell its owner ({owner}); then "
    "`loyalty run`."
)
CODED = (
    "`loyalty find` names the landed rows of a told key: map a new code in the staging model, or, where it is right as "
    "it is, add it to the rule in expectations/suites/{suite}.yml; then `loyalty run`."
)
EMPTY = {
    "raw": "See whether a file of {feed} came and where it is looked for (`loyalty doctor`); have the source deliver "
    "it, then `loyalty run`.",
    "marts": "`loyalty quarantine list` says whether the rows were refused; where none came at all, have the source "
    "deliver them; then `loyalty run`.",
}
SILENT = (
    "Ask who delivers the feed behind {table} why nothing came after the told day; read no rate that ends later, and "
    "`loyalty run` after the delivery."
)
DAILY = (
    "Compare the files of the told days with what the source has: have it deliver a missing one, or take back one that "
    "came twice; then `loyalty run`. After a sale or a holiday there is nothing to mend."
)
DRIFTED = (
    "Compare the values of the column in the last weeks with those of the year before (`loyalty query`): where a unit, "
    "a code or a mapping changed, correct the staging model, then `loyalty run`; where the customers did, trust "
    "forecasts less for a while."
)
TOLD_TWICE = (
    "Two tables tell the same differently: {table} and the one that this rule names in "
    "expectations/suites/{suite}.yml: compare the two by their key (`loyalty query`, or the working files where the "
    "night was stopped), tell the owner ({owner}), and use neither until they agree; `loyalty run` after the fix."
)
REFUSED = (
    "`loyalty quarantine list` says what is refused and why: correct the file, the settings or the staging model, then "
    "`loyalty quarantine replay`."
)
OF_LAYER = {
    "raw": RAW, "staging": STAGED, "intermediate": BUILT, "marts": BUILT, "models": COUNTED, "quality": COUNTED,
}  # fmt: skip
OF_OWN_KIND = {
    "last_row_to_be_recent": SILENT,
    "daily_rows_to_be_usual": DAILY,
    "recent_values_to_be_usual": DRIFTED,
    "columns_to_be_as_told_by": TOLD_TWICE,
}
OF_KIND = {
    **{("marts", kind): REPEATING for kind in REPEATED},
    **{("marts", kind): CODED for kind in CONDITIONS if kind.endswith("in_set")},
    **{(layer, "table_row_count_to_be_between"): text for layer, text in EMPTY.items()},
}
OF_TABLE = {("quality", "quarantined_rows"): REFUSED}
OF_LANDED_ROWS = ("fct_", "dim_")
"""How the marts are called whose rows are those of a source; the others are counted of them, as models are."""


def cure_of(suite: Suite, rule: Rule) -> str:
    """What to do where a rule of a suite fails: its own cure, else that of its table, kind and layer, in this order.

    A critical rule's ends with the waiver that lets nights pass meanwhile, to be copied into the settings.
    """
    kind = str(rule.expect)
    is_counted = suite.layer == "marts" and not suite.table.startswith(OF_LANDED_ROWS)
    layer = "models" if is_counted else suite.layer
    general = OF_TABLE.get((layer, suite.table)) or OF_OWN_KIND.get(kind) or OF_KIND.get((layer, kind), OF_LAYER[layer])
    cure = rule.cure or general.format(
        table=suite.table, feed=suite.table.replace("__", ".", 1), owner=rule.owner, suite=suite.name
    )
    if rule.severity != "critical":
        return cure
    waiver = f"{{table: {suite.layer}.{suite.table}, rule: {rule.name}, from: DAY, until: DAY, reason: WHY}}"
    return f"{cure} To let nights pass meanwhile, add to `waivers` in the settings: {waiver}."
