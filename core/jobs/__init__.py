"""The life of one video: submit, wait, deliver."""
