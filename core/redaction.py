"""What must never be seen: keys and signatures, taken out of any text."""
