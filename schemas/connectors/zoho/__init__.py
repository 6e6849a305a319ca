"""Kind `zoho`: the notifications of Zoho CRM.

    objects      what a record of Zoho says of our fields
    connector    the token, notifications to changes, and the settings of a connection

https://www.zoho.com/crm/developer/docs/api/v8/notifications/overview.html
https://www.zoho.com/crm/developer/docs/api/v8/notifications/enable.html

- A notification names records, and at most the values that changed (`return_affected_field_values`). What it does not
  say has to be looked up: each id is counted as `needs_lookup`, and the notification lies in the log.
- Several ids come in one notification. Its instant, `server_time`, is the version of all that it says.
- `insert` is said of field changes too, so neither `insert` nor `update` is more than "this has changed".
- Stages are labels. An Event has no outcome.
"""
