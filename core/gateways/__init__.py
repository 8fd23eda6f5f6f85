"""The wire: what each gateway wants to be sent, and what its answers mean."""
