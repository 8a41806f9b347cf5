"""What a sweep shows besides its numbers: retrieval examples, local maps of neighbourhoods, and geometry."""
