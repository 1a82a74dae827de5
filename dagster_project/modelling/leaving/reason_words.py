# ruff: noqa: RUF001 - Chinese has full-width punctuation
"""The words for causes: one sentence per cause and case, in each language.

Belongs here: sentences, the columns that they show and the case that they are for. Not here: which causes a customer
gets (`reasons.py`). No sentence shows anything that tells who somebody is.

The first phrase of a cause whose conditions all hold is taken; the last has none. A condition on a column that is null
does not hold. Sentences show columns of the features, and those that `reasons.py` derives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Language: TypeAlias = Literal["en", "zh-Hant", "zh-Hans"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
Condition: TypeAlias = tuple[str, Literal["<", ">=", "=="], float]


@dataclass(frozen=True)
class Phrase:
    """A sentence for one case.

    Attributes:
        texts: language to a template of `str.format` over columns.
        when: column, comparison and limit; all must hold.
    """

    texts: Mapping[Language, str]
    when: tuple[Condition, ...] = ()


def _phrase(english: str, traditional: str, simplified: str, *when: Condition) -> Phrase:
    return Phrase({"en": english, "zh-Hant": traditional, "zh-Hans": simplified}, when)


PHRASES: Mapping[str, tuple[Phrase, ...]] = {
    "overdue": (
        _phrase(
            "no order for {gap_multiple:.1f} times the usual gap: {days_since_last_order:.0f} days",
            "已有 {days_since_last_order:.0f} 天未下單，是平常間隔的 {gap_multiple:.1f} 倍",
            "已有 {days_since_last_order:.0f} 天未下单，是平常间隔的 {gap_multiple:.1f} 倍",
            ("gap_multiple", ">=", 1.05),
        ),
        _phrase(
            "last order {days_since_last_order:.0f} days ago, within the usual gap of {usual_gap_days:.0f} days",
            "上次下單在 {days_since_last_order:.0f} 天前，未超過平常間隔 {usual_gap_days:.0f} 天",
            "上次下单在 {days_since_last_order:.0f} 天前，未超过平常间隔 {usual_gap_days:.0f} 天",
            ("usual_gap_days", ">=", 0),
        ),
        _phrase(
            "last order {days_since_last_order:.0f} days ago",
            "上次下單在 {days_since_last_order:.0f} 天前",
            "上次下单在 {days_since_last_order:.0f} 天前",
        ),
    ),
    "pace": (
        _phrase(
            "only one order in {days_observed:.0f} days",
            "{days_observed:.0f} 天內只下過一次單",
            "{days_observed:.0f} 天内只下过一次单",
            ("count_repeat_occasions", "<", 1),
        ),
        _phrase(
            "ordered on {count_occasions:.0f} days of the last {days_observed:.0f}",
            "{days_observed:.0f} 天內有 {count_occasions:.0f} 天下單",
            "{days_observed:.0f} 天内有 {count_occasions:.0f} 天下单",
        ),
    ),
    "spend": (
        _phrase(
            "last order worth {spend_multiple:.1f} times the customer's mean",
            "上次消費是其平均的 {spend_multiple:.1f} 倍",
            "上次消费是其平均的 {spend_multiple:.1f} 倍",
            ("count_repeat_occasions", ">=", 1),
            ("spend_multiple", ">=", 0),
        ),
        _phrase("what the orders are worth", "訂單的金額", "订单的金额"),
    ),
    "refunds": (
        _phrase("nothing was refunded", "沒有退款", "没有退款", ("refunded_share", "==", 0)),
        _phrase(
            "{refunded_share:.0%} of all spending was refunded",
            "消費金額的 {refunded_share:.0%} 已退款",
            "消费金额的 {refunded_share:.0%} 已退款",
        ),
    ),
    "range": (
        _phrase(
            "kinds of products bought: {count_kinds:.0f}",
            "買過的商品種類：{count_kinds:.0f}",
            "买过的商品种类：{count_kinds:.0f}",
            ("count_kinds", ">=", 1),
        ),
        _phrase("how the orders were placed", "下單的方式", "下单的方式"),
    ),
    "delivery": (
        _phrase(
            "last delivery {last_days_late:.0f} days late",
            "上次送貨遲了 {last_days_late:.0f} 天",
            "上次送货迟了 {last_days_late:.0f} 天",
            ("last_days_late", ">=", 2),
        ),
        _phrase(
            "deliveries two days late or more in a year: {count_late_deliveries:.0f}",
            "一年內遲兩天以上的送貨次數：{count_late_deliveries:.0f}",
            "一年内迟两天以上的送货次数：{count_late_deliveries:.0f}",
            ("count_late_deliveries", ">=", 1),
        ),
        _phrase("deliveries in time", "送貨準時", "送货准时", ("last_days_late", ">=", 0)),
        _phrase("no delivery known", "沒有送貨紀錄", "没有送货记录"),
    ),
    "feedback": (
        _phrase(
            "last rating {last_rating:.0f} of 100, {days_since_last_rating:.0f} days ago",
            "上次評分 {last_rating:.0f} 分（滿分 100），在 {days_since_last_rating:.0f} 天前",
            "上次评分 {last_rating:.0f} 分（满分 100），在 {days_since_last_rating:.0f} 天前",
            ("last_rating", ">=", 0),
        ),
        _phrase("no rating so far", "尚未評分", "尚未评分"),
    ),
    "service": (
        _phrase(
            "complained {days_since_last_complaint:.0f} days ago",
            "{days_since_last_complaint:.0f} 天前投訴過",
            "{days_since_last_complaint:.0f} 天前投诉过",
            ("days_since_last_complaint", ">=", 0),
        ),
        _phrase(
            "asked for help {days_since_last_contact:.0f} days ago",
            "{days_since_last_contact:.0f} 天前聯絡過客服",
            "{days_since_last_contact:.0f} 天前联系过客服",
            ("days_since_last_contact", ">=", 0),
        ),
        _phrase("never needed help", "從未聯絡客服", "从未联系客服"),
    ),
    "mentions": (
        _phrase(
            "last spoke of the shop in public {days_since_last_mention:.0f} days ago",
            "上次公開提到本店在 {days_since_last_mention:.0f} 天前",
            "上次公开提到本店在 {days_since_last_mention:.0f} 天前",
            ("days_since_last_mention", ">=", 0),
        ),
        _phrase("has not spoken of the shop in public", "未曾公開提到本店", "未曾公开提到本店"),
    ),
    "programme": (
        _phrase(
            "last points {days_since_last_point_event:.0f} days ago",
            "上次點數異動在 {days_since_last_point_event:.0f} 天前",
            "上次积分变动在 {days_since_last_point_event:.0f} 天前",
            ("days_since_last_point_event", ">=", 0),
        ),
        _phrase("not in the loyalty programme", "未加入會員計畫", "未加入会员计划"),
    ),
    "referrals": (
        _phrase(
            "people invited: {count_invited:.0f}",
            "已邀請人數：{count_invited:.0f}",
            "已邀请人数：{count_invited:.0f}",
            ("count_invited", ">=", 1),
        ),
        _phrase("has invited nobody", "未邀請過他人", "未邀请过他人"),
    ),
    "visits": (
        _phrase(
            "last visit {days_since_last_visit:.0f} days ago, visits in 30 days: {count_visits_30d:.0f}",
            "上次造訪在 {days_since_last_visit:.0f} 天前，30 天內造訪 {count_visits_30d:.0f} 次",
            "上次访问在 {days_since_last_visit:.0f} 天前，30 天内访问 {count_visits_30d:.0f} 次",
            ("days_since_last_visit", ">=", 0),
        ),
        _phrase("no visit known", "沒有造訪紀錄", "没有访问记录"),
    ),
    "messages": (
        _phrase(
            "opened {count_messages_opened:.0f} of {count_messages:.0f} messages in a year",
            "一年內 {count_messages:.0f} 則訊息開啟了 {count_messages_opened:.0f} 則",
            "一年内 {count_messages:.0f} 条消息打开了 {count_messages_opened:.0f} 条",
            ("count_messages", ">=", 1),
        ),
        _phrase("was sent no message in a year", "一年內未收到訊息", "一年内未收到消息"),
    ),
}
"""Every cause that a customer can be given."""
