"""What makes a run a service: word to systemd, figures for those who watch, settings that change while it runs."""
