"""Where bytes live: paths, disk, the growing run. Never decides what is kept."""
