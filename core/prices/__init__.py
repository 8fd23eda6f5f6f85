"""What a video will cost, as far as it is known: from price lists, from the gateway, and from earlier videos."""
