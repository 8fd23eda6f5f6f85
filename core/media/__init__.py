"""What a media file is."""
