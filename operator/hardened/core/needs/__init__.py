"""What a release needs of its surroundings before its first pod."""
