"""Choosing among the takes of prompts, and copying what is chosen to where it is published from."""
