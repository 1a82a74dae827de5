"""Suggested merges: pairs of customers who may be one person, though no rule says so, for a person to judge.

A Fellegi-Sunter model weighs what two records agree and differ in; Splink (extra `[matching]`) estimates it and scores
pairs. Nothing here merges anybody.

Belongs here: what is compared, the model, and the pairs that it finds. Does not belong here: what the rules link (the
intermediate models), and what a person then decides (`definitions.identity` of the settings).
"""
