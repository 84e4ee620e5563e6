"""Who visits the page: identities, sessions, and what belongs to whom. Knows no server."""
