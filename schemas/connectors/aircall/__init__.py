"""Kind `aircall`: the webhooks of the dialler Aircall.

    connector    the token, events to changes, and the settings of a connection
    api          what its API is asked

https://developer.aircall.io/docs/webhooks-overview
https://developer.aircall.io/api-references/

- Each event brings the whole call. Its `timestamp` is in whole seconds, so of two events of one second the place in a
  call's life decides: it is the version's part below the second.
- `duration` counts the ringing too. Talk time is `ended_at` less `answered_at`.
- What is not there yet (`answered_at`, `ended_at` while the call goes on) is not said: an event that comes late must
  not take away what another one told.
- The call is whose phone it was answered on: after a transfer `transferred_to`. Of a transfer to a team the vendor
  names the team's first user there.
"""
