"""The wire formats: what each gateway is sent, and what its answers mean."""
