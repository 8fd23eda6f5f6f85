"""Budgets: how much may still be spent, whoever spends it at the same time."""
