"""Suggestions: a tree of variants for a task, a teacher, budgets and time."""
