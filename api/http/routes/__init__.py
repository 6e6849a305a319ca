"""One module per noun: decode, ask the view or the log, answer. No decision about a number is made here."""

from api.http.any_text import register

register()
