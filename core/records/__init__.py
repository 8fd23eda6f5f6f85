"""The record of every video."""
