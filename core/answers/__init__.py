"""Reading gateways' answers: lenient about shape, strict about meaning.

Nothing is concluded from what is not understood.
"""
