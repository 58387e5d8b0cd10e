"""The pages: shape of the request in, a block or a redirect out. No rule and no SQL."""
