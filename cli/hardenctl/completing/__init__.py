"""What a shell proposes: the words that can stand where the cursor is, the names of what is on the cluster among them."""
