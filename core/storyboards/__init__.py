"""Storyboards: lists of shots that continue each other."""
