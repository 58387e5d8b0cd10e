"""Pages as a browser without JavaScript, as HTMX and as a real browser see them."""
