"""The installation as a whole: settings, set-up, health, figures."""
