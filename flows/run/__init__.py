"""What flows share: fan-out, limits, progress, verdict, cancelling, naming."""
