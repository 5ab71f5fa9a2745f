"""A service of another team, written from kit's README: what traders write down about their bots."""
