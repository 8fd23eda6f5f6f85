"""The lifecycle of one video: submit, wait, deliver."""
