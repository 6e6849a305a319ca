"""HTTP in, HTTP and server-sent events out: webhooks, REST, stream, wallboard, metrics. Never imports `processor`."""
