"""systemd service: notification and watchdog, metrics and health over HTTP, reloadable settings, installation."""
