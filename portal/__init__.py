"""The ground-floor door: ASGI application, command line, worker process, web pages."""
