"""Sheets of prompts: read, checked and expanded into requests."""
