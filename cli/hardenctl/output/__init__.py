"""What people and scripts get to see: the console, its formats, times in words, and how a command ends."""
