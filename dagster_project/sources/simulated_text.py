# ruff: noqa: RUF001 - Chinese has full-width punctuation
"""Sentences of the simulated shop's customers, in three languages, written for this project.

Belongs here: words. Does not belong here: who says them and when (`simulated.py`).
"""

from __future__ import annotations

LANGUAGES = ("en", "zh-Hant", "zh-Hans")

COMMENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "en": (
        (
            "The parcel came a week late and nobody told me.",
            "It broke on the second day, I expected better quality.",
            "Too expensive for what you get.",
            "Support never answered my question.",
            'The box said "fragile" and arrived crushed.',
            "The size is wrong, and sending it back costs me money.",
        ),
        (
            "It is fine, nothing special.",
            "Good quality, but delivery took long.",
            "The price is fair, the packaging is too much plastic.",
            "Works as described, the manual is hard to follow.",
        ),
        (
            "Arrived the next day, well packed, thank you!",
            "Excellent quality, I will order again.",
            "Great value for the price.",
            "Friendly support, my problem was solved in minutes.",
            "Exactly as shown; my family loves it.",
            "My third order here, and never a complaint.",
        ),
    ),
    "zh-Hant": (
        (
            "包裹晚了一個星期，也沒有人通知我。",
            "用了兩天就壞了，品質令人失望。",
            "價格太高，不值得。",
            "客服一直沒有回覆。",
            "箱子壓壞了，商品也有刮痕。",
            "尺寸不對，退貨還要自己付運費。",
        ),
        (
            "普普通通，沒有特別之處。",
            "品質不錯，但是送貨太慢。",
            "價格合理，包裝用了太多塑膠。",
            "可以用，說明書很難懂。",
        ),
        (
            "隔天就到貨，包裝很用心，謝謝！",
            "品質非常好，下次還會再買。",
            "物超所值，推薦給朋友了。",
            "客服很親切，問題幾分鐘就解決了。",
            "和照片一樣，家人都很喜歡。",
            "第三次購買了，從來沒有失望過。",
        ),
    ),
    "zh-Hans": (
        (
            "快递晚了一个星期，也没人通知我。",
            "用了两天就坏了，质量太差。",
            "价格太贵，不值。",
            "客服一直不回复。",
            "箱子压坏了，商品也有划痕。",
            "尺码不对，退货还要自己出运费。",
        ),
        (
            "一般般，没什么特别的。",
            "质量不错，就是发货太慢。",
            "价格合理，包装塑料用得太多。",
            "能用，说明书看不太懂。",
        ),
        (
            "第二天就到了，包装很好，谢谢！",
            "质量非常好，下次还会回购。",
            "性价比很高，已经推荐给朋友。",
            "客服很耐心，几分钟就解决了问题。",
            "和图片一样，家里人都很喜欢。",
            "第三次买了，一直很满意。",
        ),
    ),
}
"""By language: unhappy, indifferent and happy sentences."""
