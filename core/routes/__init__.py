"""Routes: which of several accounts makes a video, and when another one may make it instead."""
