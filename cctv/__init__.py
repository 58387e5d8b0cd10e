"""The application. Binds extensions and registers faces; never a route, never os.environ."""
