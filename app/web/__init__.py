"""The one HTTP server of the program: a thread of its own, bounded in clients, time and memory."""
