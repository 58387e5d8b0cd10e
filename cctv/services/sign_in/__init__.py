"""Being signed in: sessions, tokens, codes, second factor, and the limits of guessing."""
